'use strict';

/**
 * Owns a promise that is settled from outside. Its rejection may go unheard: whoever waits for it
 * has it from the call that gave it out.
 *
 * @typedef {object} Deferred
 * @property {Promise<void>} promise
 * @property {() => void} resolve
 * @property {(error: Error) => void} reject
 *
 * @returns {Deferred}
 */
function deferred() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  made.promise.catch(() => {});
  return made;
}

module.exports = { deferred };
