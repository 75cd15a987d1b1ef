'use strict';

/**
 * Owns the states of the sidecar's process as the app sees them, which event leads from which to
 * which, and whether and when a sidecar that ended by itself is started again. Pure.
 */

const { SidecarError } = require('../errors.cjs');

/** @typedef {import('../../index').ProcessState} ProcessState */
/** @typedef {'start' | 'ready' | 'crashed' | 'stop' | 'ended' | 'failed'} ProcessEvent */

/**
 * An event that a state does not list is refused.
 *
 * `crashed`: the process ended unasked, and another will be started. `ended`: it is gone, as asked.
 * `failed`: it is gone, or never came, and none will be started.
 * @type {Readonly<Record<ProcessState, Readonly<Partial<Record<ProcessEvent, ProcessState>>>>>}
 */
const TRANSITIONS = Object.freeze({
  idle: { start: 'starting', failed: 'failed' },
  starting: { ready: 'ready', crashed: 'backoff', stop: 'stopping', failed: 'failed' },
  ready: { crashed: 'backoff', stop: 'stopping', failed: 'failed' },
  backoff: { start: 'starting', stop: 'idle', failed: 'failed' },
  stopping: { ended: 'idle' },
  failed: { start: 'starting', failed: 'failed', stop: 'idle' },
});

/**
 * @param {ProcessState} state
 * @param {ProcessEvent} event
 * @returns {ProcessState}
 * @throws {Error} when the state does not know the event: a bug of the bridge
 */
function nextState(state, event) {
  const next = TRANSITIONS[state][event];
  if (next === undefined) throw new Error(`"${event}" has no meaning in state "${state}"`);
  return next;
}

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

module.exports = { DEFAULT_POLICY, TRANSITIONS, crashLoop, nextState, restartDelay };
