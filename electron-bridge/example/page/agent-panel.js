/** Owns what the window shows of voice as a whole: its state, and what is wrong with a way on. */

import { element, isBusy, setBusy, write } from './dom.js';
import { agentWords, emptyWords, noticeOf } from './words.js';

/** @typedef {import('../../preload').AgentStatus} AgentStatus */

export class AgentPanel {
  #agent = element('agent');
  #trouble = element('trouble');
  #tryAgain = element('try-again');
  /** The words of the button while nothing is under way. */
  #action = 'Try again';
  /** When the next attempt is due, in the time of Date.now(); null when none is. */
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
    write(element('agent-words'), words);
    const [title, more] = emptyWords(status);
    write(element('empty-title'), title);
    write(element('empty-words'), more);

    const notice = noticeOf(status);
    this.#trouble.hidden = notice === null;
    if (notice === null) return;
    this.#trouble.dataset.tone = notice.tone;
    write(element('trouble-title'), notice.title);
    write(element('trouble-words'), notice.words);
    write(element('trouble-detail'), notice.detail);
    element('trouble-more').hidden = notice.detail === '';
    this.#action = notice.action;
    if (!isBusy(this.#tryAgain)) write(this.#tryAgain, notice.action);
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
      console.warn(error); // the user is told by the state that this leads to
    } finally {
      setBusy(this.#tryAgain, false);
      write(this.#tryAgain, this.#action);
    }
  };

  #showNext = () => {
    const seconds = this.#nextAt === null ? 0 : Math.ceil((this.#nextAt - Date.now()) / 1000);
    write(element('trouble-next'), seconds > 0 ? `Next try in ${seconds} s` : '');
  };
}
