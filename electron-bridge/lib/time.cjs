'use strict';

/**
 * Owns the time that the bridge waits in. Deadlines run on attended time: it stands still between a
 * suspend and a resume of the system, and a step in which the app itself was stopped (a debugger,
 * sleep without notice, a blocked main process) counts as one step, not as the minutes it took.
 */

/** Milliseconds of one step. The sidecar's own clock believes no longer one either. */
const STEP_MS = 1000;

/**
 * @typedef {object} Deadline
 * @property {number} leftMs
 * @property {() => void} act
 * @property {any} timer of the step under way
 */

class Deadlines {
  /** @type {Set<Deadline>} the ones to come */
  pending = new Set();
  #isSuspended = false;

  /**
   * @param {number} ms attended milliseconds from now
   * @param {() => void} act
   * @returns {Deadline} for clear()
   */
  set(ms, act) {
    /** @type {Deadline} */
    const deadline = { leftMs: ms, act, timer: undefined };
    this.pending.add(deadline);
    if (!this.#isSuspended) this.#step(deadline);
    return deadline;
  }

  /** @param {Deadline | undefined} deadline without effect on one that was met or cleared */
  clear(deadline) {
    if (deadline !== undefined && this.pending.delete(deadline)) clearTimeout(deadline.timer);
  }

  /** The system is about to sleep: time stands still. */
  suspend() {
    this.#isSuspended = true;
    for (const { timer } of this.pending) clearTimeout(timer);
  }

  /** The system is awake: time goes on. */
  resume() {
    if (!this.#isSuspended) return;
    this.#isSuspended = false;
    for (const deadline of this.pending) this.#step(deadline);
  }

  /** @param {Deadline} deadline */
  #step = (deadline) => {
    const stepMs = Math.min(deadline.leftMs, STEP_MS);
    deadline.timer = setTimeout(() => {
      deadline.leftMs -= stepMs;
      if (deadline.leftMs > 0) this.#step(deadline);
      // After a stop of the app timers run first: what came in meanwhile is read before.
      else setImmediate(() => this.pending.delete(deadline) && deadline.act());
    }, stepMs);
  };
}

/**
 * Makes a promise that is settled from outside. It never raises unhandledRejection: who waits for it
 * holds the promise itself.
 *
 * @typedef {object} Deferred
 * @property {Promise<any>} promise
 * @property {(value?: any) => void} resolve
 * @property {(error: Error) => void} reject
 *
 * @returns {Deferred}
 */
function deferred() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {});
  return made;
}

module.exports = { Deadlines, deferred };
