/** Owns the controls with which the user joins, mutes, chats and leaves. */

import { Call } from './call.js';
import { element, isBusy, made, setBusy, write } from './dom.js';
import { callWords, failureWords, leftWords, microphoneWords } from './words.js';

/** Chat lines that the page keeps. */
const MAX_LINES = 200;

export class CallPanel {
  #join = /** @type {HTMLFormElement} */ (element('join'));
  #joinButton = /** @type {HTMLButtonElement} */ (element('join-button'));
  #name = /** @type {HTMLInputElement} */ (element('name'));
  #mute = element('mute');
  #chatView = /** @type {HTMLInputElement} */ (element('view-chat'));
  #chatLabel = element('chat-label');
  #text = /** @type {HTMLInputElement} */ (element('text'));
  #messages = element('messages');
  /** The facts that callWords() turns into a sentence. */
  #now = { isIn: false, isMuted: false, canJoin: false, news: '' };
  #call = new Call({
    onMessage: (author, text) => this.#addMessage(author, text),
    onMuted: (isMuted) => this.#showMuted(isMuted),
    onLeft: (reason) => this.#showOut(leftWords(reason)),
    onNoMicrophone: (error) => this.#tell(microphoneWords(error)),
  });

  #onSelf;

  /** @param {(identity: string) => void} onSelf gets the page's identity; empty once it has left */
  constructor(onSelf) {
    this.#onSelf = onSelf;
    this.#join.addEventListener('submit', (event) => this.#onJoin(event));
    this.#mute.addEventListener('click', () => {
      this.#tell('');
      this.#doing('That did not work.', () => this.#call.mute(!this.#call.isMuted));
    });
    element('leave').addEventListener('click', () => {
      this.#doing('You are still in the room.', () => this.#call.leave());
    });
    for (const view of document.getElementsByName('view')) {
      view.addEventListener('change', () => this.#markUnread(false));
    }
    element('say').addEventListener('submit', (event) => this.#onSay(event));
  }

  /** @param {boolean} canJoin whether there is a room to join */
  allow(canJoin) {
    this.#joinButton.disabled = !canJoin;
    this.#now.canJoin = canJoin;
    this.#tell(this.#now.news);
  }

  /** @param {Event} event */
  #onJoin = async (event) => {
    event.preventDefault();
    if (isBusy(this.#joinButton)) return;
    setBusy(this.#joinButton, true);
    this.#tell('');
    write(this.#joinButton, 'Joining…');
    await this.#doing('You could not join.', async () => {
      const name = this.#name.value.trim();
      const connection = await window.clara.createConnection(name ? { name } : {});
      await this.#call.join(connection);
      write(element('self'), name || connection.identity);
      this.#onSelf(connection.identity);
      this.#showIn(true);
      this.#tell(this.#now.news);
      this.#mute.focus();
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
    this.#doing('Your message was not sent.', async () => {
      try {
        await this.#call.say(text);
      } catch (error) {
        this.#text.value = text;
        throw error;
      }
    });
  };

  /**
   * @param {string} failed what to say when it fails
   * @param {() => Promise<void>} act
   */
  #doing = async (failed, act) => {
    try {
      await act();
    } catch (error) {
      this.#tell(failureWords(failed, error));
    }
  };

  /** @param {string} news what has just happened; may be empty */
  #tell = (news) => {
    this.#now.news = news;
    write(element('call-words'), callWords(this.#now));
  };

  /** @param {boolean} isMuted */
  #showMuted = (isMuted) => {
    this.#mute.dataset.muted = String(isMuted);
    write(element('mute-words'), isMuted ? 'Unmute' : 'Mute');
    this.#now.isMuted = isMuted;
    this.#tell(this.#now.news);
  };

  /** @param {boolean} isIn */
  #showIn = (isIn) => {
    this.#now.isIn = isIn;
    this.#join.hidden = isIn;
    element('in-call').hidden = !isIn;
    element('say').hidden = !isIn;
    this.#messages.hidden = !isIn;
    element('chat-hint').hidden = isIn;
  };

  /** @param {boolean} isUnread whether there is a message that the user has not seen */
  #markUnread = (isUnread) => {
    this.#chatLabel.dataset.unread = String(isUnread && !this.#chatView.checked);
  };

  /** @param {string} words why; empty when the user asked for it */
  #showOut = (words) => {
    this.#showIn(false);
    this.#onSelf('');
    this.#messages.textContent = '';
    write(element('self'), '');
    this.#tell(words);
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
    this.#messages.scrollTop = this.#messages.scrollHeight;
    this.#markUnread(true);
  };
}
