/** Owns the part of the window by which its user is in the room: join, mute, leave, chat. */

import { Call } from './call.js';
import { element, isBusy, made, setBusy, write } from './dom.js';
import { failureWords } from './words.js';

/** Lines of the chat that are kept. */
const MAX_LINES = 200;

/**
 * Why somebody was put out of the room, by livekit-client's names.
 * @type {Record<string, string>}
 */
const LEFT = {
  PARTICIPANT_REMOVED: 'You were removed from the room.',
  DUPLICATE_IDENTITY: 'Somebody else joined as you.',
  ROOM_DELETED: 'The room was closed.',
  ROOM_CLOSED: 'The room was closed.',
};

export class CallPanel {
  #join = /** @type {HTMLFormElement} */ (element('join'));
  #joinButton = /** @type {HTMLButtonElement} */ (element('join-button'));
  #name = /** @type {HTMLInputElement} */ (element('name'));
  #mute = element('mute');
  #text = /** @type {HTMLInputElement} */ (element('text'));
  #messages = element('messages');
  #words = element('call-words');
  #call = new Call({
    onMessage: (author, text) => this.#addMessage(author, text),
    onMuted: (isMuted) => this.#showMuted(isMuted),
    onLeft: (reason) => this.#showOut(reason && (LEFT[reason] || 'The connection was lost.')),
    onNoMicrophone: (reason) => write(this.#words, `You are not heard: ${reason}`),
  });

  #onSelf;

  /** @param {(identity: string) => void} onSelf as whom the page is in the room; empty: not */
  constructor(onSelf) {
    this.#onSelf = onSelf;
    this.#join.addEventListener('submit', (event) => this.#onJoin(event));
    this.#mute.addEventListener('click', () => {
      this.#doing(() => this.#call.mute(!this.#call.isMuted));
    });
    element('leave').addEventListener('click', () => this.#doing(() => this.#call.leave()));
    element('say').addEventListener('submit', (event) => this.#onSay(event));
  }

  /** @param {boolean} canJoin whether there is a room to join */
  allow(canJoin) {
    this.#joinButton.disabled = !canJoin;
  }

  /** @param {Event} event */
  #onJoin = async (event) => {
    event.preventDefault();
    if (isBusy(this.#joinButton)) return;
    setBusy(this.#joinButton, true);
    write(this.#words, '');
    write(this.#joinButton, 'Joining…');
    await this.#doing(async () => {
      const name = this.#name.value.trim();
      const connection = await window.clara.createConnection(name ? { name } : {});
      await this.#call.join(connection);
      write(element('self'), name || connection.identity);
      this.#onSelf(connection.identity);
      this.#showIn(true);
      this.#text.focus();
    });
    setBusy(this.#joinButton, false);
    write(this.#joinButton, 'Join the room');
  };

  /** @param {Event} event */
  #onSay = (event) => {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (text === '') return;
    this.#text.value = '';
    this.#doing(() => this.#call.say(text));
  };

  /** @param {() => Promise<void>} act */
  #doing = async (act) => {
    try {
      await act();
    } catch (error) {
      write(this.#words, failureWords(error));
    }
  };

  /** @param {boolean} isMuted */
  #showMuted = (isMuted) => {
    this.#mute.setAttribute('aria-pressed', String(isMuted));
    write(this.#mute, isMuted ? 'Unmute' : 'Mute');
  };

  /** @param {boolean} isIn */
  #showIn = (isIn) => {
    this.#join.hidden = isIn;
    element('in-call').hidden = !isIn;
    element('chat').hidden = !isIn;
  };

  /** @param {string} words why, or nothing when it was asked for */
  #showOut = (words) => {
    this.#showIn(false);
    this.#onSelf('');
    this.#messages.textContent = '';
    write(this.#words, words);
    this.#joinButton.focus();
  };

  /**
   * @param {string} author
   * @param {string} text
   */
  #addMessage = (author, text) => {
    const line = made('li', '', made('bdi', 'author', author), made('bdi', 'said', text));
    this.#messages.append(line);
    while (this.#messages.children.length > MAX_LINES) this.#messages.children[0].remove();
    line.scrollIntoView({ block: 'nearest' });
  };
}
