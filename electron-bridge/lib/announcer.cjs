'use strict';

/**
 * Owns what the app hears, in which order, and what it was told last: the events one after the
 * other to every listener, also those that a listener's own call brings about; and the sessions,
 * seq and agent state that these events add up to. Decides nothing.
 */

const EventEmitter = require('events');

const { NOTIFICATIONS } = require('./protocol.cjs');

/** @type {readonly string[]} */
const EVENTS = Object.freeze([...Object.values(NOTIFICATIONS), 'process-state', 'log', 'exit']);

/** @typedef {{name: string, event: any}} Announcement */

class Announcer {
  #emitter = new EventEmitter();
  #onListenerError;
  /** @type {Announcement[]} */
  #queue = [];
  #isTelling = false;
  /** @type {Map<string, import('../index').AgentSession>} */
  #sessions = new Map();
  #seq = 0;
  /** @type {import('../index').AgentState} */
  #agentState = 'idle';

  /** @param {(problem: string) => void} onListenerError must not tell anything */
  constructor(onListenerError) {
    this.#onListenerError = onListenerError;
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

  get agentState() {
    return this.#agentState;
  }

  /**
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  on(name, listener) {
    if (!EVENTS.includes(name)) {
      throw new TypeError(`There is no event "${name}". The events are ${EVENTS.join(', ')}.`);
    }
    this.#emitter.on(name, listener);
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
    for (const each of announcements) this.#queue.push(each);
    if (this.#isTelling) return;
    this.#isTelling = true;
    // By index: shifting an array of 10,000 costs its length each time.
    for (let next = 0; next < this.#queue.length; next += 1) this.#emit(this.#queue[next]);
    this.#queue = [];
    this.#isTelling = false;
  }

  /**
   * A listener's bug is the app's, and must not stop the events behind this one.
   * @param {Announcement} announcement
   */
  #emit = ({ name, event }) => {
    this.#remember(name, event);
    for (const listener of this.#emitter.listeners(name)) {
      try {
        listener.call(undefined, event);
      } catch (error) {
        this.#onListenerError(`A listener of "${name}" threw: ${stackOf(error)}`);
      }
    }
  };

  /**
   * @param {string} name
   * @param {any} event
   */
  #remember = (name, event) => {
    if (event.seq !== undefined) this.#seq = event.seq;
    if (name === NOTIFICATIONS.AgentStateChanged) this.#agentState = event.state;
    else if (name === NOTIFICATIONS.SessionClosed) this.#sessions.delete(event.session.sessionId);
    else if (event.session) this.#sessions.set(event.session.sessionId, event.session);
  };
}

/** @param {unknown} error */
function stackOf(error) {
  return error instanceof Error ? error.stack : String(error);
}

module.exports = { Announcer };
