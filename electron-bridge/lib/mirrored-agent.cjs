'use strict';

/** Owns the agent's state as the app was told it last, over the ends of sidecar processes. Pure. */

/**
 * @typedef {import('../index').AgentState} AgentState
 * @typedef {Omit<import('../index').AgentStateChanged, 'seq' | 'epoch'>} AgentChange
 */

const NO_CAPABILITIES = Object.freeze({
  createConnection: false,
  closeSession: false,
  reconcile: false,
});

class MirroredAgent {
  /** @type {AgentState} */
  #state = 'idle';
  /** @type {import('../index').Capabilities} */
  #capabilities = NO_CAPABILITIES;

  get state() {
    return this.#state;
  }

  /**
   * @param {any} params of the sidecar's `agent-state-changed`
   * @returns {AgentChange} the same, beginning where the last one ended: what a gap or a crash took
   *   away is skipped
   * @throws {TypeError} when it has no state
   */
  take(params) {
    const { state, capabilities } = Object(params);
    if (typeof state !== 'string') throw new TypeError('it has no state');
    const previousState = this.#state;
    this.#state = /** @type {AgentState} */ (state);
    this.#capabilities = { ...NO_CAPABILITIES, ...capabilities };
    return { ...params, previousState };
  }

  /**
   * The bridge knows better than the process: it has no token to give to it.
   *
   * @param {AgentState} state
   * @param {object} facts
   * @returns {AgentChange}
   */
  told(state, facts) {
    const previousState = this.#state;
    this.#state = state;
    return { state, previousState, ...facts, capabilities: this.#capabilities };
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
    this.#capabilities = /** @type {any} */ (
      Object.fromEntries(names.map((name) => [name, false]))
    );
    if (previousState === 'idle' && couldDoNothing) return null;
    return { state: 'idle', previousState, reason, capabilities: this.#capabilities };
  }
}

module.exports = { MirroredAgent };
