'use strict';

/** Owns that listeners which were added together are taken away together. */

/**
 * @typedef {object} Emitter
 * @property {(name: any, listener: (...event: any[]) => void) => unknown} on
 * @property {(name: any, listener: (...event: any[]) => void) => unknown} removeListener
 */

/**
 * @param {...[Emitter | undefined, string, (...event: any[]) => void]} wanted the emitter, the event
 *   and the listener; an emitter that is not there is left out
 * @returns {() => void} takes all of them away
 */
function listen(...wanted) {
  for (const [emitter, name, listener] of wanted) if (emitter) emitter.on(name, listener);
  return () => {
    for (const [emitter, name, listener] of wanted) {
      if (emitter) emitter.removeListener(name, listener);
    }
  };
}

module.exports = { listen };
