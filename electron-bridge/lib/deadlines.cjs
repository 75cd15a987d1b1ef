'use strict';

/**
 * Owns the time that the bridge's deadlines run on: attended time. It stands still between a
 * suspend and a resume of the system, and a step in which the app itself was stopped (a debugger,
 * sleep without notice, a blocked main process) counts as one step, not as the minutes it took.
 */

/** Milliseconds of one step. The sidecar's own clock believes no longer one either. */
const STEP_MS = 1000;

/**
 * @typedef {object} Deadline
 * @property {number} leftMs
 * @property {() => void} act
 * @property {number} stepMs of the step under way
 * @property {NodeJS.Timeout | undefined} timer undefined while time stands still, or it is due
 */

class Deadlines {
  /** @type {Set<Deadline>} */
  #pending = new Set();
  #isSuspended = false;

  /** How many are to come. */
  get size() {
    return this.#pending.size;
  }

  /**
   * @param {number} ms attended milliseconds from now
   * @param {() => void} act
   * @returns {Deadline} for clear()
   */
  set(ms, act) {
    /** @type {Deadline} */
    const deadline = { leftMs: ms, act, stepMs: 0, timer: undefined };
    this.#pending.add(deadline);
    if (!this.#isSuspended) this.#step(deadline);
    return deadline;
  }

  /** @param {Deadline | undefined} deadline without effect on one that was met or cleared */
  clear(deadline) {
    if (deadline === undefined || !this.#pending.delete(deadline)) return;
    clearTimeout(/** @type {NodeJS.Timeout} */ (deadline.timer));
  }

  /** The system is about to sleep: time stands still. */
  suspend() {
    this.#isSuspended = true;
    for (const deadline of this.#pending) {
      clearTimeout(/** @type {NodeJS.Timeout} */ (deadline.timer));
      deadline.timer = undefined;
    }
  }

  /** The system is awake: time goes on. */
  resume() {
    if (!this.#isSuspended) return;
    this.#isSuspended = false;
    for (const deadline of this.#pending) this.#step(deadline);
  }

  /** @param {Deadline} deadline */
  #step = (deadline) => {
    deadline.stepMs = Math.min(deadline.leftMs, STEP_MS);
    deadline.timer = setTimeout(() => {
      deadline.leftMs -= deadline.stepMs;
      if (deadline.leftMs > 0) this.#step(deadline);
      // After a stop of the app timers run first: what came in meanwhile is read before.
      else setImmediate(() => this.#meet(deadline));
    }, deadline.stepMs);
  };

  /** @param {Deadline} deadline */
  #meet = (deadline) => {
    if (this.#pending.delete(deadline)) deadline.act();
  };
}

module.exports = { Deadlines };
