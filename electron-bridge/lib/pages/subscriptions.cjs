'use strict';

/**
 * Owns which pages get which events. A subscription is the page's, not the window's: it ends when the
 * main frame shows another page, when its process is gone, and with its window.
 */

const { listen } = require('../listeners.cjs');
const { attempt } = require('../errors.cjs');

/** From main to the preload, with the topic, then 'snapshot' or 'change' and the event, or 'end' when
 * the sidecar was disposed of. preload.cjs repeats the name. */
const EVENT = 'clara-voice:event';

/** After each of these, the page that subscribed is not there any more. A reload is a navigation;
 * Electron before 11 says `crashed`, newer ones `render-process-gone`. */
const ENDS = Object.freeze(['did-navigate', 'render-process-gone', 'crashed', 'destroyed']);

/** @typedef {import('../../index').WebContentsLike} WebContentsLike */

/**
 * What pages can subscribe to under one name.
 *
 * @param {string} name
 * @param {() => unknown} snapshot gives the event of now
 */
function makeTopic(name, snapshot) {
  /** @type {Map<WebContentsLike, () => void>} each page with what takes our listeners off it */
  const pages = new Map();
  /** @type {(page: WebContentsLike, kind: 'snapshot' | 'change' | 'end', event?: unknown) => void} */
  const send = (page, kind, event) => {
    // Its frame may go in this very moment; the event that says so ends the subscription.
    attempt(() => page.send(EVENT, name, kind, event));
  };
  /** @param {WebContentsLike} page */
  const remove = (page) => {
    const release = pages.get(page);
    if (release) release();
    pages.delete(page);
  };
  return {
    /** @param {WebContentsLike} page that gets the snapshot, and every change behind it */
    add(page) {
      if (!pages.has(page) && !page.isDestroyed()) {
        /** @type {(name: string) => [WebContentsLike, string, () => void]} */
        const end = (ending) => [page, ending, () => remove(page)];
        pages.set(page, listen(...ENDS.map(end)));
      }
      send(page, 'snapshot', snapshot());
    },
    remove,
    /** @param {unknown} event */
    publish(event) {
      for (const page of [...pages.keys()]) send(page, 'change', event);
    },
    /** Ends all subscriptions, and says so. */
    end() {
      for (const page of [...pages.keys()]) {
        send(page, 'end');
        remove(page);
      }
    },
  };
}

module.exports = { makeTopic };
