/** Owns the list of people: one row for each session, the user's own first, the others by name. */

import { element, isBusy, made, setBusy, write } from './dom.js';
import { connectionWords, failureWords, sinceWords } from './words.js';

/** Number of colours for the round initials. style.css defines them. */
const TINTS = 6;
/** Shown characters of a name. The width of the column cuts most names earlier. */
const MAX_NAME = 200;
/** Sentences that the page keeps for the screen reader. */
const MAX_NEWS = 10;
const { compare } = new Intl.Collator(undefined, { numeric: true });

/**
 * @typedef {import('../../preload').AgentSession} AgentSession
 * @typedef {import('../../preload').SessionsEvent} SessionsEvent
 *
 * @typedef {object} Row
 * @property {HTMLElement} root
 * @property {AgentSession} session
 * @property {(session: AgentSession) => void} show
 * @property {() => void} tick
 * @property {(marks: {isSelf: boolean, isNamesake: boolean, canRemove: boolean}) => void} mark
 */

export class SessionTable {
  #rows = element('rows');
  #title = element('people-title');
  #news = element('news');
  /** @type {Map<string, Row>} by session id */
  #shown = new Map();
  #remove;
  /** The identity of this page in the room; empty while the page is not in the room. */
  #self = '';
  #canRemove = false;
  /** @type {AgentSession[]} as the next frame shows them */
  #sessions = [];
  #isFrameDue = false;

  /** @param {(session: AgentSession) => Promise<unknown>} remove */
  constructor(remove) {
    this.#remove = remove;
    setInterval(() => this.#shown.forEach((row) => row.tick()), 1000);
  }

  /**
   * Shows the sessions with the next frame: when many people come at once, all of them together.
   *
   * @param {SessionsEvent} event
   */
  show(event) {
    if (event.type === 'created') this.#tell(`${nameOf(event.session)} joined`);
    if (event.type === 'closed') this.#tell(`${nameOf(event.session)} left`);
    this.#sessions = event.sessions;
    if (this.#isFrameDue) return;
    this.#isFrameDue = true;
    requestAnimationFrame(() => {
      this.#isFrameDue = false;
      this.#showAll(this.#sessions);
    });
  }

  /** @param {string} identity of the page itself; empty while it is not in the room */
  markSelf(identity) {
    this.#self = identity;
    this.#arrange();
  }

  /** @param {boolean} canRemove whether this app may remove people */
  allowRemoving(canRemove) {
    if (this.#canRemove === canRemove) return;
    this.#canRemove = canRemove;
    this.#arrange();
  }

  /** @param {AgentSession[]} sessions */
  #showAll = (sessions) => {
    const open = new Set(sessions.map(({ sessionId }) => sessionId));
    for (const id of [...this.#shown.keys()]) if (!open.has(id)) this.#drop(id);
    for (const session of sessions) this.#put(session);
    this.#arrange();
    for (const count of document.querySelectorAll('.count')) {
      write(/** @type {HTMLElement} */ (count), String(sessions.length || ''));
    }
    element('empty').hidden = sessions.length > 0;
    element('sessions').hidden = sessions.length === 0;
  };

  /** @param {AgentSession} session */
  #put = (session) => {
    let row = this.#shown.get(session.sessionId);
    if (row === undefined) {
      row = makeRow(session, this.#remove);
      this.#shown.set(session.sessionId, row);
    } else if (row.session === session) {
      return; // the bridge gives another object with each change
    }
    row.show(session);
  };

  /** @param {string} id */
  #drop = (id) => {
    const row = this.#shown.get(id);
    if (row === undefined) return;
    // Keep the keyboard's focus in the list.
    if (row.root.contains(document.activeElement)) {
      const near = row.root.nextElementSibling || row.root.previousElementSibling;
      const button = near && near.querySelector('button:not([hidden])');
      (button instanceof HTMLElement ? button : this.#title).focus();
    }
    row.root.remove();
    this.#shown.delete(id);
  };

  /** Sorts the rows. Moves only a row in the wrong place; a row that moves keeps the focus. */
  #arrange = () => {
    const focused = document.activeElement;
    /** @type {Map<string, number>} */
    const namesakes = new Map();
    for (const { session } of this.#shown.values()) {
      namesakes.set(nameOf(session), (namesakes.get(nameOf(session)) || 0) + 1);
    }
    const isSelf = (/** @type {Row} */ { session }) => session.participantId === this.#self;
    const ordered = [...this.#shown.values()].sort(
      (a, b) =>
        Number(isSelf(b)) - Number(isSelf(a)) ||
        compare(nameOf(a.session), nameOf(b.session)) ||
        compare(a.session.sessionId, b.session.sessionId),
    );
    ordered.forEach((row, place) => {
      const now = this.#rows.children[place];
      if (now !== row.root) this.#rows.insertBefore(row.root, now || null);
      row.mark({
        isSelf: isSelf(row),
        isNamesake: Number(namesakes.get(nameOf(row.session))) > 1,
        canRemove: this.#canRemove,
      });
    });
    if (focused instanceof HTMLElement && focused !== document.activeElement) focused.focus();
  };

  /** @param {string} words that a screen reader says */
  #tell = (words) => {
    const last = this.#news.childNodes;
    while (last.length >= MAX_NEWS) last[0].remove();
    this.#news.append(made('span', '', `${words}. `));
  };
}

/**
 * @param {AgentSession} session
 * @param {(session: AgentSession) => Promise<unknown>} remove
 * @returns {Row}
 */
function makeRow(session, remove) {
  const initial = made('span', 'initial');
  initial.setAttribute('aria-hidden', 'true');
  const name = made('bdi', 'name');
  const you = made('span', 'you', 'You');
  const identity = made('bdi', 'identity');
  const hint = made('p', 'quiet hint');
  const complaint = made('p', 'complaint');
  complaint.setAttribute('role', 'alert');
  const dot = made('span', 'dot');
  const bars = made('span', 'bars', made('i', ''), made('i', ''), made('i', ''));
  bars.setAttribute('aria-hidden', 'true');
  const words = made('span', '');
  const connection = made('span', 'connection', dot, bars, words);
  const messages = made('td', 'number');
  const since = /** @type {HTMLTimeElement} */ (made('time', ''));
  const button = /** @type {HTMLButtonElement} */ (made('button', 'button small', 'Remove'));
  button.type = 'button';
  const names = made('span', 'names', made('span', 'title', name, you), identity, hint, complaint);
  const person = made('th', '', made('span', 'person', initial, names));
  person.setAttribute('scope', 'row');
  const root = made(
    'tr',
    '',
    person,
    made('td', '', connection),
    messages,
    made('td', 'number', since),
    made('td', 'action', button),
  );
  const row = {
    root,
    session,
    tick: () => write(since, sinceWords(Date.now() - Date.parse(row.session.startTime))),
    /** @type {Row['mark']} */
    mark({ isSelf, isNamesake, canRemove }) {
      you.hidden = !isSelf;
      identity.hidden = !isNamesake;
      button.hidden = isSelf || !canRemove; // a user who wants to go presses Leave
    },
    /** @type {Row['show']} */
    show(now) {
      row.session = now;
      const shown = nameOf(now);
      const [tone, state, level] = connectionWords(now);
      root.dataset.session = now.sessionId;
      root.dataset.state = now.connectionState;
      root.dataset.speaking = String(now.speaking === true);
      initial.dataset.tint = String(tintOf(now.participantId));
      write(initial, [...shown][0].toUpperCase());
      write(name, shown);
      write(identity, cut(now.participantId));
      write(hint, now.connectionState === 'error' ? 'Ask them to join again.' : '');
      connection.dataset.tone = tone;
      bars.dataset.level = String(level);
      bars.hidden = level < 0;
      dot.hidden = level >= 0;
      write(words, state);
      write(messages, String(now.messageCount));
      since.dateTime = now.startTime;
      button.setAttribute('aria-label', `Remove ${shown}`);
      row.tick();
    },
  };
  button.addEventListener('click', async () => {
    if (isBusy(button)) return;
    setBusy(button, true);
    write(complaint, '');
    try {
      await remove(row.session);
    } catch (error) {
      write(complaint, failureWords('They are still here.', error));
    }
    setBusy(button, false);
  });
  return row;
}

/** @param {AgentSession} session */
function nameOf({ name, participantId }) {
  return cut(name.trim() || participantId);
}

/** @param {string} text */
function cut(text) {
  return text.length > MAX_NAME ? `${[...text].slice(0, MAX_NAME).join('')}…` : text;
}

/** @param {string} identity */
function tintOf(identity) {
  let sum = 0;
  for (const character of identity) sum = (sum * 31 + Number(character.codePointAt(0))) >>> 0;
  return sum % TINTS;
}
