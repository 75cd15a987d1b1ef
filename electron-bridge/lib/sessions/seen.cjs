'use strict';

/**
 * Owns what was seen of sidecar processes before: the count of the notifications of the present one,
 * and the ids of the sessions that closed last. Pure.
 */

class HeardSeq {
  #last = 0;
  #isBehind = false;

  /** Whether notifications are missing, so that only a listing tells what is open. */
  get isBehind() {
    return this.#isBehind;
  }

  /**
   * @param {unknown} seq of a notification; of one that has none nothing can be said
   * @returns {boolean} false when it was heard before
   */
  take(seq) {
    if (!Number.isInteger(seq)) return true;
    const heard = Number(seq);
    if (heard <= this.#last) return false;
    if (heard > this.#last + 1) this.#isBehind = true;
    this.#last = heard;
    return true;
  }

  /** @param {unknown} seq of a listing, which makes up for whatever is missing up to it */
  takeListing(seq) {
    this.#isBehind = false;
    if (Number.isInteger(seq)) this.#last = Math.max(this.#last, Number(seq));
  }
}

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
   * @param {string} id of a session that closes now
   */
  add(id) {
    this.#processes.delete(id);
    this.#processes.set(id, this.#process);
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

module.exports = { HeardSeq, MAX_IDS, RecentIds };
