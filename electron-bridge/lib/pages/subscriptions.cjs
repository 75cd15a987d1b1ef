'use strict';

/**
 * Owns which pages get which events. A subscription is the page's, not the window's: it ends when the
 * main frame shows another page, when its process is gone, and with its window.
 */

const { listen } = require('../electron/listeners.cjs');

/** From main to the preload, with the topic, the version and the change; a version of null says that
 * the sidecar was disposed of. preload.cjs repeats the name. */
const EVENT = 'clara-voice:event';

/** After each of these, the page that subscribed is not there any more. A reload is a navigation;
 * Electron before 11 says `crashed`, newer ones `render-process-gone`. */
const ENDS = Object.freeze(['did-navigate', 'render-process-gone', 'crashed', 'destroyed']);

/** @typedef {import('../../index').WebContentsLike} WebContentsLike */

/** What pages can subscribe to under one name. */
class Topic {
  #name;
  #now;
  /** @type {Map<WebContentsLike, () => void>} each page with what takes our listeners off it */
  #pages = new Map();

  /**
   * @param {string} name
   * @param {() => {version: number, value: unknown}} now gives the snapshot, and its version: that of
   *   the last change it includes
   */
  constructor(name, now) {
    this.#name = name;
    this.#now = now;
  }

  /** @param {WebContentsLike} page that gets every change from now on, and the snapshot before */
  add(page) {
    if (!this.#pages.has(page) && !page.isDestroyed()) {
      /** @type {(name: string) => [WebContentsLike, string, () => void]} */
      const end = (name) => [page, name, () => this.delete(page)];
      this.#pages.set(page, listen(...ENDS.map(end)));
    }
    return this.#now();
  }

  /** @param {WebContentsLike} page */
  delete(page) {
    const release = this.#pages.get(page);
    if (release) release();
    this.#pages.delete(page);
  }

  /**
   * @param {number | null} version
   * @param {unknown} [change]
   */
  publish(version, change) {
    for (const page of [...this.#pages.keys()]) {
      try {
        if (!page.isDestroyed()) page.send(EVENT, this.#name, version, change);
      } catch (_) {
        // Its frame went in this very moment; the event that says so ends the subscription.
      }
    }
  }

  /** Ends all subscriptions, and says so. */
  end() {
    this.publish(null);
    for (const page of [...this.#pages.keys()]) this.delete(page);
  }
}

module.exports = { Topic };
