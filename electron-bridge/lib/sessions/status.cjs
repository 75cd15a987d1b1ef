'use strict';

/**
 * Owns the answer to "is voice up?": the state of the process and of the agent, why there is no
 * voice, and when the next attempt is, in one object that is there whether or not a sidecar runs.
 * Pure.
 */

const { NOTIFICATIONS } = require('../protocol.cjs');

/**
 * @typedef {import('../../index').AgentStateChanged} AgentStateChanged
 * @typedef {import('../../index').ProcessStateChanged} ProcessStateChanged
 * @typedef {import('../../index').VoiceStatus} Summary
 */

const LOOK_INTO_THE_LOG = 'Look into the log for the cause; start() tries again.';

class VoiceStatus {
  #roomOf;
  /** @type {string | undefined} */
  #room;
  /** @type {Partial<AgentStateChanged>} the last one of the process that runs now */
  #agent = {};
  /** @type {import('../../index').AgentState} */
  #agentState = 'idle';
  /** @type {AgentStateChanged['error']} until the agent is in the room or wants to be in none */
  #failure;
  /** @type {Pick<ProcessStateChanged, 'state' | 'error' | 'retryInMs'>} */
  #process = { state: 'idle' };

  /** @param {() => string | undefined} roomOf gives the room that the agent is sent to now */
  constructor(roomOf) {
    this.#roomOf = roomOf;
  }

  get agentState() {
    return this.#agentState;
  }

  /**
   * Takes an event that the app is about to be told.
   *
   * @param {string} name
   * @param {any} event
   * @returns {boolean} whether it may have changed the summary
   */
  take(name, event) {
    if (name === NOTIFICATIONS.AgentStateChanged) this.#takeAgent(event);
    else if (name === 'process-state') this.#takeProcess(event);
    else return false;
    return true;
  }

  /** @returns {Summary} for the app, frozen */
  summary() {
    const { state: processState, retryInMs = this.#agent.retryInMs } = this.#process;
    const error = this.#error();
    return Object.freeze({
      available: processState === 'ready' && this.#agentState === 'connected',
      processState,
      agentState: this.#agentState,
      ...(this.#room !== undefined && { room: this.#room }),
      ...(error !== undefined && { error: Object.freeze(error) }),
      ...(retryInMs !== undefined && { retryInMs }),
    });
  }

  /** @returns {import('../../preload').AgentStatus} for a page */
  forPage() {
    const { reason, attempt, retryInMs, capabilities, previousState } = this.#agent;
    const { state: processState, error: processError, retryInMs: restartInMs } = this.#process;
    /** @type {any} */
    const status = {
      state: this.#agentState,
      processState,
      room: this.#room,
      previousState,
      reason,
      attempt,
      retryInMs: restartInMs === undefined ? retryInMs : restartInMs,
      capabilities,
      error: this.#failure,
      processError: processError && { code: processError.code, message: processError.message },
    };
    for (const name of Object.keys(status)) if (status[name] === undefined) delete status[name];
    return status;
  }

  /** @param {AgentStateChanged} change */
  #takeAgent = (change) => {
    this.#agent = change;
    this.#agentState = change.state;
    this.#room = change.state === 'idle' ? undefined : this.#roomOf();
    if (change.error !== undefined) this.#failure = change.error;
    else if (change.state === 'connected' || change.state === 'idle') this.#failure = undefined;
  };

  /** @param {ProcessStateChanged} change */
  #takeProcess = ({ state, error, retryInMs }) => {
    this.#process = { state, error, retryInMs };
    if (state === 'ready' || state === 'stopping') return;
    this.#agent = {};
    this.#agentState = 'idle';
    this.#room = undefined;
    this.#failure = undefined;
  };

  #error = () => {
    const { error } = this.#process;
    if (error !== undefined) {
      const { code, message, fix = LOOK_INTO_THE_LOG } = error;
      return { code, message, fix };
    }
    if (this.#failure === undefined) return undefined;
    const { category, detail, fix } = this.#failure;
    return { code: category, message: detail, fix };
  };
}

module.exports = { VoiceStatus };
