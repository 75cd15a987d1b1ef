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
 * `crashed`: the process is gone, nobody asked, and another will be started. `ended`: it is gone,
 * as asked. `failed`: it is gone, or never came, and none will be started.
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

  /** Resets the count: a start by hand has all restarts before it. */
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
    `The sidecar ended again and again and is not started any more. ${last.message}`,
    {
      fix: 'Look into the log for the cause; start() tries again.',
      exitCode,
      signal,
      stderrTail,
      cause: last,
    },
  );
}

module.exports = { DEFAULT_POLICY, Restarts, TRANSITIONS, crashLoop, nextState };
