'use strict';

/**
 * Owns what is told to a person who asks how voice is doing: the agent's state, why the last
 * attempt to join failed, and why there is no sidecar, in one object that is there whether or not a
 * sidecar runs.
 */

const { NOTIFICATIONS } = require('../protocol.cjs');

/**
 * @typedef {import('../../preload').AgentStatus} AgentStatus
 * @typedef {import('../../index').AgentStateChanged} AgentStateChanged
 * @typedef {import('../../index').ProcessStateChanged} ProcessStateChanged
 * @typedef {Pick<import('../../index').Sidecar, 'on' | 'off' | 'agentState' | 'processState'>} Source
 */

class VoiceStatus {
  #source;
  #onChange;
  /** @type {Partial<AgentStateChanged>} the last, of the process that runs now */
  #agent = {};
  /** @type {AgentStateChanged['error']} until the agent is in the room or wants to be in none */
  #failure = undefined;
  /** @type {ProcessStateChanged['error']} */
  #processError = undefined;

  /**
   * @param {Source} source
   * @param {(status: AgentStatus) => void} onChange
   */
  constructor(source, onChange) {
    this.#source = source;
    this.#onChange = onChange;
    source.on(NOTIFICATIONS.AgentStateChanged, this.#onAgentState);
    source.on('process-state', this.#onProcessState);
  }

  /** @returns {AgentStatus} */
  now() {
    const { reason, attempt, retryInMs, capabilities, previousState } = this.#agent;
    return {
      state: this.#source.agentState,
      processState: this.#source.processState,
      ...(previousState !== undefined && { previousState }),
      ...(reason !== undefined && { reason }),
      ...(attempt !== undefined && { attempt }),
      ...(retryInMs !== undefined && { retryInMs }),
      ...(capabilities !== undefined && { capabilities }),
      ...(this.#failure !== undefined && { error: this.#failure }),
      ...(this.#processError !== undefined && {
        processError: { code: this.#processError.code, message: this.#processError.message },
      }),
    };
  }

  dispose() {
    this.#source.off(NOTIFICATIONS.AgentStateChanged, this.#onAgentState);
    this.#source.off('process-state', this.#onProcessState);
  }

  /** @param {AgentStateChanged} change */
  #onAgentState = (change) => {
    this.#agent = change;
    if (change.error !== undefined) this.#failure = change.error;
    else if (change.state === 'connected' || change.state === 'idle') this.#failure = undefined;
    this.#onChange(this.now());
  };

  /** @param {ProcessStateChanged} change */
  #onProcessState = ({ state, error }) => {
    this.#processError = error;
    if (state !== 'ready' && state !== 'stopping') {
      this.#agent = {};
      this.#failure = undefined;
    }
    this.#onChange(this.now());
  };
}

module.exports = { VoiceStatus };
