'use strict';

/** Owns the ids of the sessions that closed last, and under which process each did. Pure. */

/** As many as the sidecar keeps of sids that are closed for good (sidecar/core/registry/session_ids.py). */
const MAX_IDS = 4096;

class RecentIds {
  /** @type {Map<string, number>} id to process, oldest first */
  #processes = new Map();
  #process = 0;

  /** What comes from now on is another process's. */
  nextProcess() {
    this.#process += 1;
  }

  /**
   * @param {string} id
   * @param {boolean} isOfThisProcess whether the present process knew the session
   */
  add(id, isOfThisProcess) {
    this.#processes.delete(id);
    this.#processes.set(id, isOfThisProcess ? this.#process : this.#process - 1);
    if (this.#processes.size > MAX_IDS) {
      this.#processes.delete(String(this.#processes.keys().next().value));
    }
  }

  /** @param {string} id */
  isOfThisProcess(id) {
    return this.#processes.get(id) === this.#process;
  }

  /** All of them, oldest first. */
  list() {
    return [...this.#processes.keys()];
  }
}

module.exports = { MAX_IDS, RecentIds };
