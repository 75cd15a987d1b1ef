'use strict';

/** Owns the count of one sidecar process's notifications: which are late, and whether some are
 * missing. Pure. */

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

module.exports = { HeardSeq };
