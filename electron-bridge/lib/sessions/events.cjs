'use strict';

/**
 * Owns the events that the app hears, their order, and the state after the last one: the events go
 * one after the other to every listener, also the events that a listener's own call causes; and the
 * sessions, seq and agent state that these events add up to.
 */

const EventEmitter = require('events');
const { isDeepStrictEqual } = require('util');

const { guarded } = require('../errors.cjs');
const { METHODS, NOTIFICATIONS } = require('../protocol.cjs');
const { VoiceStatus } = require('./status.cjs');

/** @type {readonly string[]} */
const EVENTS = [...Object.values(NOTIFICATIONS), 'process-state', 'status-changed', 'log', 'exit'];

/** @typedef {{name: string, event: any}} Announcement */

class Announcer {
  #emitter = new EventEmitter();
  #onListenerError;
  /** @type {Announcement[]} */
  #queue = [];
  /** @type {Map<string, import('../../index').AgentSession>} */
  #sessions = new Map();
  #seq = 0;
  #status;
  /** @type {import('../../index').VoiceStatus} as told last */
  #summary;

  /**
   * @param {(problem: string) => void} onListenerError must not tell anything
   * @param {() => string | undefined} [roomOf] gives the room that the agent is sent to now
   */
  constructor(onListenerError, roomOf = () => undefined) {
    this.#onListenerError = onListenerError;
    this.#status = new VoiceStatus(roomOf);
    this.#summary = this.#status.summary();
    this.#emitter.setMaxListeners(0); // a page each, and the app's own
  }

  /** The open sessions as told so far, oldest first. */
  get sessions() {
    return [...this.#sessions.values()];
  }

  /** The seq of the last event told that has one; 0 before the first. */
  get seq() {
    return this.#seq;
  }

  /** The answer to "is voice up?", frozen. */
  get status() {
    return this.#summary;
  }

  /** What a page is told of voice. */
  statusForPage() {
    return this.#status.forPage();
  }

  /**
   * @param {'on' | 'once'} how
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  add(how, name, listener) {
    // events.once() of Node listens for `error`, too; there never is one.
    if (!EVENTS.includes(name) && !(how === 'once' && name === 'error')) {
      throw new TypeError(`There is no event "${name}". The events are ${EVENTS.join(', ')}.`);
    }
    this.#emitter[how](name, listener);
  }

  /**
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  off(name, listener) {
    this.#emitter.removeListener(name, listener);
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
    const before = this.#summary;
    if (event.seq !== undefined) this.#seq = event.seq;
    if (name === NOTIFICATIONS.SessionClosed) this.#sessions.delete(event.session.sessionId);
    else if (event.session) this.#sessions.set(event.session.sessionId, event.session);
    if (this.#status.take(name, event)) this.#summary = this.#status.summary();
    if (isDeepStrictEqual(this.#summary, before)) this.#summary = before;
    this.#call(name, event);
    if (this.#summary !== before) this.#call('status-changed', this.#summary);
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

/** Milliseconds; after it, the next notification asks again: the answer itself may be lost. */
const LISTING_TIMEOUT_MS = 30 * 1000;

class Intake {
  #parts;
  #isHealing = false;

  /**
   * @param {object} parts
   * @param {import('./mirror.cjs').Mirror} parts.mirror
   * @param {Announcer} parts.announcer
   * @param {(warning: string) => void} parts.warn
   */
  constructor(parts) {
    this.#parts = parts;
  }

  /**
   * Takes a notification; where earlier ones are missing, one listing is asked for.
   *
   * @param {string} method
   * @param {any} params
   * @param {Pick<import('../rpc/client.cjs').RpcClient, 'request'>} run that it came from
   */
  takeNotification(method, params, run) {
    const { mirror } = this.#parts;
    this.#take(`a "${method}"`, () => mirror.take(method, params));
    if (!mirror.isBehind || this.#isHealing) return;
    this.#isHealing = true;
    const over = () => {
      this.#isHealing = false;
    };
    const onResult = (/** @type {unknown} */ listing) => {
      over();
      this.takeListing(listing);
    };
    const options = { timeoutMs: LISTING_TIMEOUT_MS, ahead: true, onResult };
    run.request(METHODS.listSessions, undefined, options).catch(over);
  }

  /** @param {unknown} listing result of `listSessions`, as soon as it is read */
  takeListing(listing) {
    this.#take('a list of sessions', () => this.#parts.mirror.takeListing(listing));
  }

  /**
   * @param {string} what
   * @param {() => readonly Announcement[]} take
   */
  #take = (what, take) => {
    const { announcer, warn } = this.#parts;
    /** @type {readonly Announcement[]} */
    let announcements = [];
    try {
      announcements = take();
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      warn(`The sidecar sent ${what} that is none: ${message}.`);
    }
    announcer.tell(announcements);
  };
}

module.exports = { Announcer, Intake };
