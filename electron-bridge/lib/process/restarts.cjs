'use strict';

/** Owns whether and when a sidecar that ended by itself is started again. Pure. */

const { SidecarError } = require('../errors.cjs');

/**
 * @typedef {import('../../index').RestartPolicy} RestartPolicy
 * @type {Readonly<RestartPolicy>}
 */
const DEFAULT_POLICY = Object.freeze({ max: 3, windowMs: 300 * 1000, delaysMs: [500, 1000, 2000] });

/**
 * @param {Readonly<RestartPolicy>} policy
 * @param {readonly number[]} restartedMs when each earlier restart was decided
 * @param {number} nowMs when the sidecar ended by itself, of a clock that only goes forward
 * @returns {number | undefined} milliseconds to wait before the restart; undefined when there is none
 */
function restartDelay({ max, windowMs, delaysMs }, restartedMs, nowMs) {
  const count = restartedMs.filter((atMs) => nowMs - atMs < windowMs).length;
  return count < max ? delaysMs[Math.min(count, delaysMs.length - 1)] : undefined;
}

/**
 * @param {SidecarError} last the end after which it is not started again
 * @returns {SidecarError} CRASH_LOOP
 */
function crashLoop(last) {
  const problem = `The sidecar ended again and again and is not started any more. ${last.message}`;
  const fix = 'Look into the log for the cause; start() tries again.';
  return new SidecarError('CRASH_LOOP', problem, { ...last, fix, cause: last });
}

module.exports = { DEFAULT_POLICY, crashLoop, restartDelay };
