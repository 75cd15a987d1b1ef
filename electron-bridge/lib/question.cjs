'use strict';

/**
 * Owns one question to somebody who may never answer: the app, the system. It ends with their
 * answer, with its deadline, or when nobody wants to know any more; what comes later is dropped.
 */

/**
 * @template T
 * @typedef {object} Question
 * @property {Promise<T>} answer
 * @property {(error: Error) => void} abandon rejects the answer, unless there is one
 */

/**
 * @template T
 * @param {() => T | Promise<T>} ask may do anything
 * @param {object} limit
 * @param {import('./deadlines.cjs').Deadlines} limit.deadlines
 * @param {number} limit.withinMs
 * @param {() => Error} limit.late
 * @returns {Question<T>}
 */
function question(ask, { deadlines, withinMs, late }) {
  /** @type {(error: Error) => void} */
  let abandon = () => {};
  const answer = new Promise((resolve, reject) => {
    const deadline = deadlines.set(withinMs, () => reject(late()));
    abandon = (error) => {
      deadlines.clear(deadline);
      reject(error);
    };
    // Within a promise, so that whatever is thrown, here or by a thenable, is a rejection.
    new Promise((given) => given(ask())).then(
      (given) => {
        deadlines.clear(deadline);
        resolve(/** @type {T} */ (given));
      },
      (error) => abandon(error),
    );
  });
  answer.catch(() => {}); // an abandoned one may have nobody who waits
  return { answer, abandon };
}

module.exports = { question };
