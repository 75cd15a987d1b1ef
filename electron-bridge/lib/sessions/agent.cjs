'use strict';

/**
 * Owns for how long the agent has been out of its room, over the ends of sidecar processes.
 */

/** Milliseconds; a longer one ends no more than this does (sidecar/core/registry/deadlines.py, OUTAGE: 45 s). */
const LONGEST_MS = 60 * 1000;

class Outage {
  #deadlines;
  /** @type {import('../time.cjs').Deadline | undefined} while it lasts; its end does nothing */
  #longest;

  /** @param {import('../time.cjs').Deadlines} deadlines whose time it is measured in */
  constructor(deadlines) {
    this.#deadlines = deadlines;
  }

  /** To the second, 60 s at most; 0 while there is none. */
  get lastedMs() {
    return this.#longest === undefined ? 0 : LONGEST_MS - this.#longest.leftMs;
  }

  /** The agent is not in its room; without effect on one that lasts. */
  begin() {
    if (this.#longest === undefined) this.#longest = this.#deadlines.set(LONGEST_MS, () => {});
  }

  /** The agent is in its room, or no process is to bring it back. */
  end() {
    this.#deadlines.clear(this.#longest);
    this.#longest = undefined;
  }
}

module.exports = { Outage };
