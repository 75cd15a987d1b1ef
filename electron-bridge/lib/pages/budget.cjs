'use strict';

/**
 * Owns how many calls a page may make: without a limit, a page in a loop would have the sidecar, the
 * token endpoint and the LiveKit server work without end.
 */

/** Calls at once. */
const BURST = 60;
/** Calls per second after that. */
const PER_SECOND = 5;

/**
 * @param {() => number} now milliseconds that only grow
 * @returns {(page: object) => boolean} takes one call from the page's budget; false when it is empty
 */
function makeBudget(now) {
  /** @type {WeakMap<object, {left: number, atMs: number}>} by the page's webContents */
  const budgets = new WeakMap();
  return (page) => {
    const atMs = now();
    const before = budgets.get(page) || { left: BURST, atMs };
    const left = Math.min(BURST, before.left + ((atMs - before.atMs) / 1000) * PER_SECOND);
    const isEnough = left >= 1;
    budgets.set(page, { left: isEnough ? left - 1 : left, atMs });
    return isEnough;
  };
}

module.exports = { BURST, PER_SECOND, makeBudget };
