'use strict';

/**
 * Owns which pages get which events. A subscription is the page's, not the window's: it ends when the
 * main frame shows another page, when its process is gone, and with its window.
 */

const { listen } = require('../electron/listeners.cjs');

/** From main to the preload, with the topic, then 'snapshot' or 'change' and the event, or 'end' when
 * the sidecar was disposed of. preload.cjs repeats the name. */
const EVENT = 'clara-voice:event';

/** After each of these, the page that subscribed is not there any more. A reload is a navigation;
 * Electron before 11 says `crashed`, newer ones `render-process-gone`. */
const ENDS = Object.freeze(['did-navigate', 'render-process-gone', 'crashed', 'destroyed']);

/** @typedef {import('../../index').WebContentsLike} WebContentsLike */

/** What pages can subscribe to under one name. */
class Topic {
  #name;
  #snapshot;
  /** @type {Map<WebContentsLike, () => void>} each page with what takes our listeners off it */
  #pages = new Map();

  /**
   * @param {string} name
   * @param {() => unknown} snapshot gives the event of now
   */
  constructor(name, snapshot) {
    this.#name = name;
    this.#snapshot = snapshot;
  }

  /** @param {WebContentsLike} page that gets the snapshot, and every change behind it */
  add(page) {
    if (!this.#pages.has(page) && !page.isDestroyed()) {
      /** @type {(name: string) => [WebContentsLike, string, () => void]} */
      const end = (name) => [page, name, () => this.delete(page)];
      this.#pages.set(page, listen(...ENDS.map(end)));
    }
    this.#send(page, 'snapshot', this.#snapshot());
  }

  /** @param {WebContentsLike} page */
  delete(page) {
    const release = this.#pages.get(page);
    if (release) release();
    this.#pages.delete(page);
  }

  /** @param {unknown} event */
  publish(event) {
    for (const page of [...this.#pages.keys()]) this.#send(page, 'change', event);
  }

  /** Ends all subscriptions, and says so. */
  end() {
    for (const page of [...this.#pages.keys()]) {
      this.#send(page, 'end');
      this.delete(page);
    }
  }

  /**
   * @param {WebContentsLike} page
   * @param {'snapshot' | 'change' | 'end'} kind
   * @param {unknown} [event]
   */
  #send = (page, kind, event) => {
    try {
      if (!page.isDestroyed()) page.send(EVENT, this.#name, kind, event);
    } catch (_) {
      // Its frame went in this very moment; the event that says so ends the subscription.
    }
  };
}

module.exports = { Topic };
