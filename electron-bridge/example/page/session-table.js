/** Owns the table of sessions: one row for each, kept as long as the session is open. */

import { element, isBusy, made, setBusy, write } from './dom.js';
import { failureWords, peopleWords, QUALITY, SESSION, sinceWords } from './words.js';

/** Colours of the round initials; style.css has them. */
const TINTS = 6;
/** Characters of a name that are shown at all: CSS cuts it much earlier. */
const MAX_NAME = 200;

/**
 * @typedef {import('../../preload').AgentSession} AgentSession
 * @typedef {import('../../preload').SessionsEvent} SessionsEvent
 *
 * @typedef {object} Row
 * @property {HTMLElement} root
 * @property {(session: AgentSession) => void} show
 * @property {() => void} tick
 * @property {(self: string) => void} mark
 */

export class SessionTable {
  #rows = element('rows');
  #title = element('people-title');
  #news = element('news');
  /** @type {Map<string, Row>} by session id */
  #shown = new Map();
  #remove;
  /** The identity under which the page itself is in the room. */
  #self = '';

  /** @param {(session: AgentSession) => Promise<unknown>} remove */
  constructor(remove) {
    this.#remove = remove;
    setInterval(() => this.#shown.forEach((row) => row.tick()), 1000);
  }

  /** @param {SessionsEvent} event */
  show(event) {
    if (event.type === 'snapshot') this.#showAll(event.sessions);
    else if (event.type === 'closed') this.#drop(event.session.sessionId);
    else this.#put(event.session);
    if (event.type === 'created') this.#tell(`${shortName(event.session)} came`);
    if (event.type === 'closed') this.#tell(`${shortName(event.session)} went`);
    write(element('count'), peopleWords(event.sessions.length));
    element('empty').hidden = event.sessions.length > 0;
    element('sessions').hidden = event.sessions.length === 0;
  }

  /** @param {string} identity of the page itself; empty when it is not in the room */
  markSelf(identity) {
    this.#self = identity;
    for (const row of this.#shown.values()) row.mark(identity);
  }

  /** @param {AgentSession[]} sessions */
  #showAll = (sessions) => {
    const open = new Set(sessions.map(({ sessionId }) => sessionId));
    for (const id of [...this.#shown.keys()]) if (!open.has(id)) this.#drop(id);
    for (const session of sessions) this.#put(session);
  };

  /** @param {AgentSession} session */
  #put = (session) => {
    let row = this.#shown.get(session.sessionId);
    if (row === undefined) {
      row = makeRow(this.#remove);
      this.#shown.set(session.sessionId, row);
      this.#rows.append(row.root);
    }
    row.show(session);
    row.mark(this.#self);
  };

  /** @param {string} id */
  #drop = (id) => {
    const row = this.#shown.get(id);
    if (row === undefined) return;
    // Whoever works with the keyboard stays where they were.
    if (row.root.contains(document.activeElement)) {
      const near = row.root.nextElementSibling || row.root.previousElementSibling;
      const button = near && near.querySelector('button');
      (button || this.#title).focus();
    }
    row.root.remove();
    this.#shown.delete(id);
  };

  /** @param {string} words for a screen reader */
  #tell = (words) => {
    const last = this.#news.childNodes;
    while (last.length > 10) last[0].remove();
    this.#news.append(made('span', '', `${words}. `));
  };
}

/**
 * @param {(session: AgentSession) => Promise<unknown>} remove
 * @returns {Row}
 */
function makeRow(remove) {
  /** @type {AgentSession} */
  let session;
  const initial = made('span', 'initial');
  initial.setAttribute('aria-hidden', 'true');
  const name = made('bdi', 'name');
  const identity = made('bdi', 'identity');
  const you = made('span', 'you', 'You');
  const dot = made('span', 'dot');
  const state = made('span', '');
  const toned = made('span', 'state', dot, state);
  const bars = made('span', 'bars', made('i', ''), made('i', ''), made('i', ''));
  bars.setAttribute('aria-hidden', 'true');
  const quality = made('span', 'quality-words');
  const messages = made('td', 'number');
  const since = /** @type {HTMLTimeElement} */ (made('time', ''));
  const button = /** @type {HTMLButtonElement} */ (made('button', 'button small', 'Remove'));
  const complaint = made('p', 'complaint');
  complaint.setAttribute('role', 'alert');
  button.type = 'button';
  button.addEventListener('click', async () => {
    if (isBusy(button)) return;
    setBusy(button, true);
    write(complaint, '');
    try {
      await remove(session);
    } catch (error) {
      write(complaint, failureWords(error));
    }
    setBusy(button, false);
  });
  const person = made(
    'th',
    'person',
    initial,
    made('span', 'names', made('span', 'title', name, you), identity, complaint),
  );
  person.setAttribute('scope', 'row');
  const root = made(
    'tr',
    '',
    person,
    made('td', '', toned),
    made('td', 'quality', bars, quality),
    messages,
    made('td', 'number', since),
    made('td', 'action', button),
  );
  const tick = () => write(since, sinceWords(Date.now() - Date.parse(session.startTime)));
  return {
    root,
    tick,
    mark(self) {
      you.hidden = session.participantId !== self;
    },
    show(now) {
      session = now;
      const [tone, words] = SESSION[now.connectionState];
      const [level, levelWords] = QUALITY[now.connectionQuality];
      root.dataset.session = now.sessionId;
      root.dataset.state = now.connectionState;
      initial.dataset.tint = String(tintOf(now.participantId));
      write(initial, [...shortName(now)][0].toUpperCase());
      write(name, shortName(now));
      write(identity, now.name && now.name !== now.participantId ? cut(now.participantId) : '');
      toned.dataset.tone = tone;
      write(state, words);
      bars.dataset.level = String(level);
      write(quality, levelWords);
      write(messages, String(now.messageCount));
      since.dateTime = now.startTime;
      button.setAttribute('aria-label', `Remove ${shortName(now)}`);
      tick();
    },
  };
}

/** @param {AgentSession} session */
function shortName({ name, participantId }) {
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
