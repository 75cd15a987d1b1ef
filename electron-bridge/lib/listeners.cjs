'use strict';

/** Owns that listeners which were added together are taken away together. */

/**
 * @typedef {(...event: any[]) => void} Listener
 *
 * @typedef {object} Emitter
 * @property {(name: any, listener: Listener) => unknown} on
 * @property {(name: any, listener: Listener) => unknown} removeListener
 */

/**
 * @param {...[Emitter | undefined, string, Listener]} wanted the emitter, the event
 *   and the listener; an emitter that is not there is left out
 * @returns {() => void} takes all of them away; a second call does nothing
 */
function listen(...wanted) {
  for (const [emitter, name, listener] of wanted) if (emitter) emitter.on(name, listener);
  return () => {
    for (const [emitter, name, listener] of wanted.splice(0)) {
      if (emitter) emitter.removeListener(name, listener);
    }
  };
}

module.exports = { listen };
