/** Owns the captions: the last words of each side, as a voice plug-in's `transcript` tells them. */

import { element, made, write } from './dom.js';

/** Lines that the page shows. */
const MAX_LINES = 4;

/**
 * @typedef {import('../../preload').SessionEvent} SessionEvent
 * @typedef {import('../../preload').SessionsEvent} SessionsEvent
 *
 * @typedef {object} Transcript
 * @property {'user' | 'assistant'} role
 * @property {string} text
 * @property {string} segment words with the same segment replace each other
 * @property {boolean} final
 * @property {boolean} [interrupted] the person spoke before the answer's end
 */

export class Captions {
  #view = element('captions');
  /** @type {import('../../preload').AgentSession[]} */
  #sessions = [];
  /** @type {Map<string, {root: HTMLElement, said: HTMLElement, sessionId: string}>} by segment */
  #lines = new Map();

  /**
   * Learns the names of the people. The lines of closed sessions go.
   *
   * @param {SessionsEvent} event
   */
  follow({ sessions }) {
    this.#sessions = sessions;
    for (const [segment, line] of [...this.#lines]) {
      if (!sessions.some((each) => each.sessionId === line.sessionId)) this.#drop(segment);
    }
  }

  /** @param {SessionEvent} event */
  show({ sessionId, name, content }) {
    const session = this.#sessions.find((each) => each.sessionId === sessionId);
    if (name !== 'transcript' || session === undefined) return;
    const person = session.name || session.participantId;
    const { role, text, segment, final, interrupted } = /** @type {Transcript} */ (content);
    let line = this.#lines.get(segment);
    if (line === undefined) {
      const author = made('bdi', 'author', role === 'user' ? person : `Clara to ${person}`);
      const said = made('bdi', 'said');
      line = { root: made('li', '', author, said), said, sessionId };
      this.#lines.set(segment, line);
      this.#view.append(line.root);
    }
    line.root.dataset.final = String(final);
    write(line.said, interrupted ? `${text} …` : text);
    while (this.#lines.size > MAX_LINES) this.#drop([...this.#lines.keys()][0]);
    this.#view.hidden = false;
  }

  /** @param {string} segment */
  #drop = (segment) => {
    const line = this.#lines.get(segment);
    if (line !== undefined) line.root.remove();
    this.#lines.delete(segment);
    this.#view.hidden = this.#lines.size === 0;
  };
}
