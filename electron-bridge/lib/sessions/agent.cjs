'use strict';

/**
 * Owns the agent's state as the app was told it last, and for how long the agent has been out of its
 * room, both over the ends of sidecar processes.
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

  /** It is in its room, or nobody waits for it. */
  end() {
    this.#deadlines.clear(this.#longest);
    this.#longest = undefined;
  }
}

/**
 * @typedef {import('../../index').AgentState} AgentState
 * @typedef {Omit<import('../../index').AgentStateChanged, 'seq' | 'epoch'>} AgentChange
 */

const NO_CAPABILITIES = Object.freeze({
  createConnection: false,
  closeSession: false,
  reconcile: false,
});

class MirroredAgent {
  #outage;
  /** @type {number | undefined} */
  #serverAheadMs;
  /** @type {AgentState} */
  #state = 'idle';
  /** @type {import('../../index').Capabilities} */
  #capabilities = NO_CAPABILITIES;

  /** @param {Outage} outage which the states begin and end */
  constructor(outage) {
    this.#outage = outage;
  }

  /** For how long it has been out of its room, while there are processes to bring it back. */
  get outageMs() {
    return this.#outage.lastedMs;
  }

  get state() {
    return this.#state;
  }

  /** How far the server's clock is ahead of this machine's; undefined until a sidecar said it. */
  get serverAheadMs() {
    return this.#serverAheadMs;
  }

  /**
   * @param {any} params of the sidecar's `agent-state-changed`
   * @returns {AgentChange} the same, beginning where the last one ended: what a gap or a crash took
   *   away is skipped
   * @throws {TypeError} when it has no state
   */
  take(params) {
    const { state, capabilities, serverAheadMs } = Object(params);
    if (typeof state !== 'string') throw new TypeError('it has no state');
    const previousState = this.#state;
    this.#state = /** @type {AgentState} */ (state);
    if (state === 'connected') this.#outage.end();
    else this.#outage.begin();
    if (Number.isInteger(serverAheadMs)) this.#serverAheadMs = serverAheadMs;
    this.#capabilities = { ...NO_CAPABILITIES, ...capabilities };
    return { ...params, previousState };
  }

  /** No process is to bring it back. */
  forgetOutage() {
    this.#outage.end();
  }

  /**
   * The process behind it is gone.
   *
   * @param {string} reason
   * @returns {AgentChange | null} null when nothing that was told is untrue by that
   */
  gone(reason) {
    const previousState = this.#state;
    const names = Object.keys(this.#capabilities);
    const couldDoNothing = !Object.values(this.#capabilities).includes(true);
    this.#state = 'idle';
    this.#outage.begin();
    this.#capabilities = /** @type {any} */ (
      Object.fromEntries(names.map((name) => [name, false]))
    );
    if (previousState === 'idle' && couldDoNothing) return null;
    return { state: 'idle', previousState, reason, capabilities: this.#capabilities };
  }
}

module.exports = { MirroredAgent, Outage };
