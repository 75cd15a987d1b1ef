'use strict';

/**
 * Owns the states of the sidecar's process as the app sees them, and which event leads from which
 * to which. Pure.
 */

/** @typedef {import('../index').ProcessState} ProcessState */
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

module.exports = { TRANSITIONS, nextState };
