/** Owns what the window shows of the agent: its state, and what is wrong with a way out. */

import { element, isBusy, setBusy, write } from './dom.js';
import { agentWords, emptyWords, failureWords, troubleOf } from './words.js';

/** @typedef {import('../../preload').AgentStatus} AgentStatus */

export class AgentPanel {
  #agent = element('agent');
  #words = element('agent-words');
  #trouble = element('trouble');
  #tryAgain = element('try-again');
  /** When the next attempt is due, as Date.now() tells time; null when none is. */
  #nextAt = /** @type {number | null} */ (null);

  /** @param {() => Promise<unknown>} tryAgain */
  constructor(tryAgain) {
    this.#tryAgain.addEventListener('click', () => this.#onTryAgain(tryAgain));
    setInterval(this.#showNext, 1000);
  }

  /** @param {AgentStatus} status */
  show(status) {
    const [tone, words] = agentWords(status);
    this.#agent.dataset.tone = tone;
    write(this.#words, words);
    const trouble = troubleOf(status);
    this.#trouble.hidden = trouble === null;
    const [title, more] = emptyWords(status);
    write(element('empty-title'), title);
    write(element('empty-words'), more);
    if (trouble === null) return;
    write(element('trouble-category'), trouble.category);
    write(element('trouble-detail'), trouble.detail);
    write(element('trouble-fix'), trouble.fix);
    const { state, retryInMs } = status;
    this.#nextAt = state === 'backoff' && retryInMs ? Date.now() + retryInMs : null;
    this.#showNext();
  }

  /** @param {() => Promise<unknown>} tryAgain */
  #onTryAgain = async (tryAgain) => {
    if (isBusy(this.#tryAgain)) return;
    setBusy(this.#tryAgain, true);
    write(this.#tryAgain, 'Trying…');
    try {
      await tryAgain();
    } catch (error) {
      // The state that it leads to says why; this is for whoever looks at the console.
      console.warn(failureWords(error));
    } finally {
      setBusy(this.#tryAgain, false);
      write(this.#tryAgain, 'Try again');
    }
  };

  #showNext = () => {
    const seconds = this.#nextAt === null ? 0 : Math.ceil((this.#nextAt - Date.now()) / 1000);
    write(element('trouble-next'), seconds > 0 ? `Tries by itself in ${seconds} s` : '');
  };
}
