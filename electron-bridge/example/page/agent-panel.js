/** Owns the panel that shows the state of voice: a problem has its words and a button. */

import { element, isBusy, setBusy, write } from './dom.js';
import { agentWords, emptyWords, noticeOf } from './words.js';

/** @typedef {import('../../preload').AgentStatus} AgentStatus */

export class AgentPanel {
  #agent = element('agent');
  #trouble = element('trouble');
  #tryAgain = element('try-again');
  /** The button's words while no attempt runs. */
  #action = 'Try again';
  /** Time of the next attempt, as Date.now() counts; null when no attempt is planned. */
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
      console.warn(error); // the user sees the state that follows
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
