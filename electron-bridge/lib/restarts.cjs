'use strict';

/** Owns whether and when a sidecar that ended by itself is started again. Pure. */

const { SidecarError } = require('./errors.cjs');

/**
 * @typedef {import('../index').RestartPolicy} RestartPolicy
 * @type {Readonly<RestartPolicy>}
 */
const DEFAULT_POLICY = Object.freeze({
  max: 3,
  windowMs: 5 * 60 * 1000,
  delaysMs: Object.freeze([500, 1000, 2000]),
});

class Restarts {
  #policy;
  /** @type {number[]} when each restart within the window was decided, in milliseconds */
  #decided = [];

  /** @param {Readonly<RestartPolicy> | false} policy false: never */
  constructor(policy) {
    this.#policy = policy;
  }

  /**
   * The sidecar ended by itself.
   *
   * @param {number} nowMs of a clock that only goes forward
   * @returns {{delayMs: number} | {reason: 'off' | 'loop'}} how long to wait before the restart, or
   *   why there is none
   */
  decide(nowMs) {
    if (this.#policy === false) return { reason: 'off' };
    const { max, windowMs, delaysMs } = this.#policy;
    this.#decided = this.#decided.filter((atMs) => nowMs - atMs < windowMs);
    const count = this.#decided.length;
    if (count >= max) return { reason: 'loop' };
    this.#decided.push(nowMs);
    return { delayMs: delaysMs[Math.min(count, delaysMs.length - 1)] };
  }

  /** Whoever starts it by hand has all restarts before them. */
  forget() {
    this.#decided = [];
  }
}

/**
 * @param {SidecarError} last the end after which it is not started again
 * @returns {SidecarError} CRASH_LOOP
 */
function crashLoop(last) {
  const { exitCode, signal, stderrTail } = last;
  return new SidecarError(
    'CRASH_LOOP',
    `The sidecar ended again and again and is not started any more. ${last.message} Look into the ` +
      'log for the cause; start() tries again.',
    { exitCode, signal, stderrTail, cause: last },
  );
}

module.exports = { DEFAULT_POLICY, Restarts, crashLoop };
