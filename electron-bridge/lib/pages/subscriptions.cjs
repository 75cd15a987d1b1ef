'use strict';

/**
 * Owns the IPC channels between preload.cjs and the main process, and which pages get which events.
 * preload.cjs repeats the names, since a sandboxed preload can require no file; a test compares the
 * two. A subscription is the page's, not the window's: it ends when the main frame shows another
 * page, when its process is gone, and with its window.
 */

/** One channel for each thing a page may ask: what is not listed here, no page can reach. */
const CHANNELS = Object.freeze({
  listSessions: 'clara-voice:list-sessions',
  getStatus: 'clara-voice:get-status',
  createConnection: 'clara-voice:create-connection',
  closeSession: 'clara-voice:close-session',
  subscribe: 'clara-voice:subscribe',
  unsubscribe: 'clara-voice:unsubscribe',
  online: 'clara-voice:online',
});

/** From main to the preload. */
const EVENTS = Object.freeze({
  published: 'clara-voice:published',
  /** The sidecar that the page subscribed to was disposed of. */
  ended: 'clara-voice:ended',
  /** Asks the main frame to say that it is one, where Electron does not say so. */
  mainFrameAsked: 'clara-voice:main-frame?',
  mainFrameAnswered: 'clara-voice:main-frame',
});

const TOPICS = Object.freeze({ sessions: 'sessions', agent: 'agent' });

/** After each of these, the page that subscribed is not there any more. A reload is a navigation;
 * Electron before 11 says `crashed`, newer ones `render-process-gone`. */
const ENDS = Object.freeze(['did-navigate', 'render-process-gone', 'crashed', 'destroyed']);

/** @typedef {import('../../index').WebContentsLike} WebContentsLike */

class PageSubscriptions {
  /** @type {Map<WebContentsLike, {topics: Set<string>, end: () => void}>} */
  #pages = new Map();

  /**
   * @param {WebContentsLike} contents
   * @param {string} topic
   */
  add(contents, topic) {
    if (contents.isDestroyed()) return;
    let page = this.#pages.get(contents);
    if (page === undefined) {
      page = { topics: new Set(), end: () => this.#remove(contents) };
      this.#pages.set(contents, page);
      for (const name of ENDS) contents.on(name, page.end);
    }
    page.topics.add(topic);
  }

  /**
   * @param {WebContentsLike} contents
   * @param {string} topic
   */
  delete(contents, topic) {
    const page = this.#pages.get(contents);
    if (page === undefined) return;
    page.topics.delete(topic);
    if (page.topics.size === 0) this.#remove(contents);
  }

  /**
   * @param {string} topic
   * @param {string} channel
   * @param {...unknown} message
   */
  publish(topic, channel, ...message) {
    for (const [contents, { topics }] of [...this.#pages]) {
      if (topics.has(topic)) sendTo(contents, channel, ...message);
    }
  }

  /**
   * Ends all of them, with a last message.
   *
   * @param {string} channel
   */
  clear(channel) {
    for (const contents of [...this.#pages.keys()]) {
      this.#remove(contents);
      sendTo(contents, channel);
    }
  }

  /** @param {WebContentsLike} contents */
  #remove = (contents) => {
    const page = this.#pages.get(contents);
    if (page === undefined) return;
    this.#pages.delete(contents);
    for (const name of ENDS) contents.removeListener(name, page.end);
  };
}

/**
 * @param {WebContentsLike} contents
 * @param {string} channel
 * @param {...unknown} message
 */
function sendTo(contents, channel, ...message) {
  if (contents.isDestroyed()) return;
  try {
    contents.send(channel, ...message);
  } catch (_) {
    // Its frame went in this very moment; the event that says so ends the subscription.
  }
}

module.exports = { CHANNELS, EVENTS, PageSubscriptions, TOPICS };
