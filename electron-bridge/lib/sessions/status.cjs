'use strict';

/**
 * Owns the answer to "is voice up?": the state of the process and of the agent, why there is no
 * voice, and when the next attempt is, in one object that is there whether or not a sidecar runs.
 * Pure.
 */

const { present } = require('../errors.cjs');
const { NOTIFICATIONS } = require('../protocol.cjs');

const LOOK_INTO_THE_LOG = 'Look into the log for the cause; start() tries again.';

class VoiceStatus {
  #roomOf;
  /**
   * The last change of the process that runs now. Its error stays until the agent is in the room or
   * wants to be in none.
   * @type {Partial<import('../../index').AgentStateChanged> & {room?: string}}
   */
  #agent = {};
  /** @type {Pick<import('../../index').ProcessStateChanged, 'state' | 'error' | 'retryInMs'>} */
  #process = { state: 'idle' };

  /** @param {() => string | undefined} roomOf gives the room that the agent is sent to now */
  constructor(roomOf) {
    this.#roomOf = roomOf;
  }

  get agentState() {
    return this.#agent.state || 'idle';
  }

  /**
   * Takes an event that the app is about to be told.
   *
   * @param {string} name
   * @param {any} event
   * @returns {boolean} whether it may have changed the summary
   */
  take(name, event) {
    if (name === NOTIFICATIONS.AgentStateChanged) {
      const { seq, epoch, serverAheadMs, ...change } = event;
      const isOver = change.state === 'connected' || change.state === 'idle';
      const error = change.error || (isOver ? undefined : this.#agent.error);
      const room = change.state === 'idle' ? undefined : this.#roomOf();
      this.#agent = { ...change, error, room };
    } else if (name === 'process-state') {
      this.#process = event;
      if (event.state !== 'ready' && event.state !== 'stopping') this.#agent = {};
    } else return false;
    return true;
  }

  /** @returns {import('../../index').VoiceStatus} for the app, frozen */
  summary() {
    const { state: processState, retryInMs = this.#agent.retryInMs } = this.#process;
    const { agentState } = this;
    const { room } = this.#agent;
    const available = processState === 'ready' && agentState === 'connected';
    const error = this.#error();
    const shown = { available, processState, agentState, room, error, retryInMs };
    return Object.freeze(present(shown));
  }

  /** @returns {import('../../preload').AgentStatus} for a page */
  forPage() {
    const { state: processState, error, retryInMs = this.#agent.retryInMs } = this.#process;
    const processError = error && { code: error.code, message: error.message };
    const state = this.agentState;
    return present({ ...this.#agent, state, processState, retryInMs, processError });
  }

  #error = () => {
    const { category, detail, fix: cure } = Object(this.#agent.error);
    const ofAgent = category && { code: category, message: detail, fix: cure };
    const { code, message, fix = LOOK_INTO_THE_LOG } = this.#process.error || Object(ofAgent);
    return code && Object.freeze({ code, message, fix });
  };
}

module.exports = { VoiceStatus };
