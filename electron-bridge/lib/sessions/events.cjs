'use strict';

/**
 * Owns the events that the app hears, their order, and the state after the last one: the events go
 * one after the other to every listener, also the events that a listener's own call causes; and the
 * sessions, seq and answer to "is voice up?" that these events add up to.
 */

const EventEmitter = require('events');
const { isDeepStrictEqual } = require('util');

const { guarded, present } = require('../errors.cjs');
const { NOTIFICATIONS } = require('../protocol.cjs');

/** @type {readonly string[]} */
const EVENTS = [...Object.values(NOTIFICATIONS), 'process-state', 'status-changed', 'log', 'exit'];
const LOOK_INTO_THE_LOG = 'Look into the log for the cause; start() tries again.';

/** @typedef {{name: string, event: any}} Announcement */

class Announcer {
  #emitter = new EventEmitter();
  #onListenerError;
  #roomOf;
  /** @type {Announcement[]} */
  #queue = [];
  /** @type {Map<string, import('../../index').AgentSession>} */
  #sessions = new Map();
  /** The seq of the last event told that has one; 0 before the first. */
  seq = 0;
  /**
   * The last change of the agent, of the process that runs now. Its error stays until the agent is in
   * the room or wants to be in none.
   * @type {Partial<import('../../index').AgentStateChanged> & {room?: string}}
   */
  #agent = {};
  /** @type {Pick<import('../../index').ProcessStateChanged, 'state' | 'error' | 'retryInMs'>} */
  #process = { state: 'idle' };
  /** @type {import('../../index').VoiceStatus} as told last, frozen */
  status = Object.freeze({ available: false, processState: 'idle', agentState: 'idle' });

  /**
   * @param {(problem: string) => void} onListenerError must not tell anything
   * @param {() => string | undefined} [roomOf] gives the room that the agent is sent to now
   */
  constructor(onListenerError, roomOf = () => undefined) {
    this.#onListenerError = onListenerError;
    this.#roomOf = roomOf;
    this.#emitter.setMaxListeners(0); // a page each, and the app's own
  }

  /** The open sessions as told so far, oldest first. */
  get sessions() {
    return [...this.#sessions.values()];
  }

  /** @returns {import('../../preload').AgentStatus} what a page is told of voice */
  statusForPage() {
    const { processState, agentState: state, retryInMs } = this.status;
    const { error } = this.#process;
    const processError = error && { code: error.code, message: error.message };
    return present({ ...this.#agent, state, processState, retryInMs, processError });
  }

  /**
   * Adds a listener, or takes one away.
   *
   * @param {'on' | 'once' | 'off'} how
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  change(how, name, listener) {
    // events.once() of Node listens for `error`, too; there never is one.
    if (how !== 'off' && !EVENTS.includes(name) && !(how === 'once' && name === 'error')) {
      throw new TypeError(`There is no event "${name}". The events are ${EVENTS.join(', ')}.`);
    }
    this.#emitter[how](name, listener);
  }

  /**
   * Tells all of them, in order. What belongs together comes in one call: a listener may act on the
   * first of them, and what that brings about is told behind the last.
   *
   * @param {readonly Announcement[]} announcements
   */
  tell(announcements) {
    const isTelling = this.#queue.length > 0;
    for (const each of announcements) this.#queue.push(each);
    if (isTelling) return;
    // Also what comes meanwhile. Shifting an array of 10,000 would cost its length each time.
    for (const each of this.#queue) this.#emit(each);
    this.#queue = [];
  }

  /** @param {Announcement} announcement */
  #emit = ({ name, event }) => {
    const before = this.status;
    if (event.seq !== undefined) this.seq = event.seq;
    if (name === NOTIFICATIONS.SessionClosed) this.#sessions.delete(event.session.sessionId);
    else if (event.session) this.#sessions.set(event.session.sessionId, event.session);
    else if (name === NOTIFICATIONS.AgentStateChanged) this.#takeAgent(event);
    else if (name === 'process-state') this.#takeProcess(event);
    this.#call(name, event);
    if (this.status !== before) this.#call('status-changed', this.status);
  };

  /** @param {any} event */
  #takeAgent = ({ seq, epoch, serverAheadMs, ...change }) => {
    const isOver = change.state === 'connected' || change.state === 'idle';
    const error = change.error || (isOver ? undefined : this.#agent.error);
    const room = change.state === 'idle' ? undefined : this.#roomOf();
    this.#agent = { ...change, error, room };
    this.#sum();
  };

  /** @param {import('../../index').ProcessStateChanged} event */
  #takeProcess = (event) => {
    this.#process = event;
    if (event.state !== 'ready' && event.state !== 'stopping') this.#agent = {};
    this.#sum();
  };

  #sum = () => {
    const { state: agentState = 'idle', room, reason, error: ofAgent, retryInMs: ms } = this.#agent;
    const { state: processState, error: ofRun, retryInMs = ms } = this.#process;
    const isThere = agentState === 'connected' || reason === 'nobody-there';
    const available = processState === 'ready' && isThere;
    const { category, detail, code = category, message = detail, fix } = Object(ofRun || ofAgent);
    const error = code && Object.freeze({ code, message, fix: fix || LOOK_INTO_THE_LOG });
    const now = present({ available, processState, agentState, room, error, retryInMs });
    if (!isDeepStrictEqual(now, this.status)) this.status = Object.freeze(now);
  };

  /**
   * A listener's bug is the app's, and must not stop the events behind this one.
   *
   * @param {string} name
   * @param {any} event
   */
  #call = (name, event) => {
    const onError = (/** @type {unknown} */ error) => {
      const told = error instanceof Error ? error.stack : String(error);
      this.#onListenerError(`A listener of "${name}" threw: ${told}`);
    };
    for (const listener of this.#emitter.rawListeners(name)) {
      guarded(() => listener.call(undefined, event), onError);
    }
  };
}

module.exports = { Announcer };
