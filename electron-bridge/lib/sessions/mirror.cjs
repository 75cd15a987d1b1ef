'use strict';

/**
 * Owns what the app is told of sessions and of the agent: takes what one sidecar process after the
 * other says, and gives the events, so that every session is created once and closed once whatever
 * becomes of those processes. Pure, but for the wall clock that it is given.
 */

const { NOTIFICATIONS } = require('../protocol.cjs');
const { MirroredAgent } = require('./agent.cjs');
const shape = require('./session.cjs');

/**
 * @typedef {import('../../index').AgentSession} AgentSession
 * @typedef {import('../../index').CloseReason} CloseReason
 * @typedef {import('./session.cjs').OpenSession} OpenSession
 * @typedef {import('./session.cjs').Close} Close
 *
 * @typedef {Pick<import('../../index').InitializeParams, 'resume' | 'usedIds' | 'outageMs' | 'serverAheadMs'>} Inheritance
 *
 * @typedef {object} MirrorEvent
 * @property {string} name one of NOTIFICATIONS
 * @property {any} event its params, frozen, with the mirror's seq and epoch
 */

/**
 * Close reason of a session that is missing from a listing, by the agent's state;
 * `connection-lost` in any other.
 * @type {Readonly<Partial<Record<import('../../index').AgentState, CloseReason>>>}
 */
const ABSENCE = Object.freeze({
  connected: 'left',
  idle: 'agent-disconnected',
  stopping: 'sidecar-shutdown',
});

/** @type {readonly string[]} */
const SESSION_NOTIFICATIONS = Object.freeze([
  NOTIFICATIONS.SessionCreated,
  NOTIFICATIONS.SessionUpdated,
  NOTIFICATIONS.SessionClosed,
]);

class Mirror {
  #epoch;
  #now;
  #seq = 0;
  /** @type {Map<string, OpenSession>} by sessionId, oldest announcement first */
  #open = new Map();
  #agent;
  #heard = new HeardSeq();
  #isStopAsked = false;
  #closed = new RecentIds();

  /**
   * @param {string} epoch of the mirror; that of a sidecar process stays inside
   * @param {() => number} now wall time in milliseconds, for the ends that no sidecar has seen
   * @param {import('./agent.cjs').Outage} outage
   */
  constructor(epoch, now, outage) {
    this.#epoch = epoch;
    this.#now = now;
    this.#agent = new MirroredAgent(outage);
  }

  /** Whether only a listing tells what is open. */
  get isBehind() {
    return this.#heard.isBehind;
  }

  /**
   * A process begins.
   * @returns {Inheritance} what its `initialize` is told of the sessions of earlier ones
   */
  begin() {
    this.#heard = new HeardSeq();
    this.#isStopAsked = false;
    this.#closed.nextProcess();
    const resume = shape.resumed([...this.#open.values()].map((entry) => entry.shown));
    const { outageMs, serverAheadMs } = this.#agent;
    return { resume, usedIds: this.#closed.list(), outageMs, serverAheadMs };
  }

  /**
   * Takes a notification, also one that this version does not know: its seq counts.
   *
   * @param {string} method
   * @param {any} params
   * @returns {MirrorEvent[]}
   * @throws {TypeError} when it lacks what every version of it has
   */
  take(method, params) {
    if (!this.#heard.take(Object(params).seq)) return [];
    if (method === NOTIFICATIONS.AgentStateChanged) {
      return [this.#event(method, this.#agent.take(params))];
    }
    if (!SESSION_NOTIFICATIONS.includes(method)) return []; // of a newer sidecar
    const session = shape.sessionOf(params);
    if (this.#isLate(session)) return [];
    if (method === NOTIFICATIONS.SessionClosed) return this.#takeClosed(session, params);
    const isNew = !this.#open.has(session.sessionId);
    if (method === NOTIFICATIONS.SessionCreated && isNew) return this.#create(session, params);
    return this.#takeOpen(session, params);
  }

  /**
   * Takes a listing. At the moment its answer is handled it and the mirror are the same state, so
   * what differs was lost on the way.
   *
   * @param {any} listing result of `listSessions`
   * @returns {MirrorEvent[]}
   * @throws {TypeError} when it is none
   */
  takeListing(listing) {
    const { listed, identities, seq } = shape.listingOf(listing);
    this.#heard.takeListing(seq);
    /** @type {MirrorEvent[]} */
    const events = [];
    for (const entry of [...this.#open.values()]) {
      if (entry.held === null && !listed.has(entry.shown.sessionId)) {
        events.push(...this.#closeAbsent(entry, identities.has(entry.shown.participantId)));
      }
    }
    const present = [...listed.values()].filter((session) => !this.#isLate(session));
    return [...events, ...present.flatMap((session) => this.#takeOpen(session, {}))];
  }

  /**
   * The process is asked to stop: from now on its closes are as they should be.
   * @returns {MirrorEvent[]}
   */
  stopAsked() {
    this.#isStopAsked = true;
    const held = [...this.#open.values()].filter((entry) => entry.held !== null);
    return held.flatMap((entry) => this.#close(entry, /** @type {Close} */ (entry.held)));
  }

  /**
   * The process is gone and another will take its place: what is open waits for it.
   * @returns {MirrorEvent[]}
   */
  crashed() {
    const waiting = [...this.#open.values()].flatMap((entry) => {
      entry.held = null;
      return this.#show(entry, { ...entry.shown, connectionState: 'reconnecting' }, {});
    });
    return [...waiting, ...this.#agentGone('sidecar-exited')];
  }

  /**
   * The process is gone and none takes its place.
   *
   * @param {string} reason of the agent's state
   * @returns {MirrorEvent[]}
   */
  ended(reason) {
    const events = [...this.resumeRefused(), ...this.#agentGone(reason)];
    this.#agent.forgetOutage();
    return events;
  }

  /**
   * Nobody looks after the open sessions any more.
   * @returns {MirrorEvent[]}
   */
  resumeRefused() {
    return [...this.#open.values()].flatMap((entry) => this.#cut(entry, 'sidecar-exited'));
  }

  /**
   * @param {AgentSession} session
   * @param {any} params
   */
  #takeClosed = (session, params) => {
    const { entry, events } = this.#known(session);
    return [...events, ...this.#end(entry, params)];
  };

  /**
   * Takes a session as it is now, known or not.
   *
   * @param {AgentSession} session
   * @param {object} params
   */
  #takeOpen = (session, params) => {
    const { entry, events } = this.#known(session);
    return [...events, ...this.#show(entry, session, params)];
  };

  /**
   * @param {AgentSession} session
   * @returns {{entry: OpenSession, events: MirrorEvent[]}} its entry, created now if its creation was lost
   */
  #known = (session) => {
    const isKnown = this.#open.has(session.sessionId);
    const events = isKnown ? [] : this.#create(shape.asCreated(session), {});
    return { entry: /** @type {OpenSession} */ (this.#open.get(session.sessionId)), events };
  };

  /**
   * @param {AgentSession} session
   * @param {object} params
   */
  #create = (session, params) => {
    /** @type {MirrorEvent[]} */
    const events = [];
    for (const each of this.isBehind ? [...this.#open.values()] : []) {
      // An identity is in a room once: the close of its earlier session is among what was lost.
      if (each.shown.participantId !== session.participantId) continue;
      events.push(...this.#cut(each, 'replaced', 'reconcile'));
    }
    this.#open.set(session.sessionId, { shown: session, held: null });
    events.push(this.#event(NOTIFICATIONS.SessionCreated, { ...params, session }));
    return events;
  };

  /**
   * @param {OpenSession} entry
   * @param {AgentSession} session
   * @param {object} params
   */
  #show = (entry, session, params) => {
    const changed = shape.changedMembers(entry.shown, session);
    entry.shown = session;
    if (changed.length === 0) return [];
    return [this.#event(NOTIFICATIONS.SessionUpdated, { ...params, session, changed })];
  };

  /**
   * @param {OpenSession} entry that is not listed
   * @param {boolean} isListed whether its identity is, under another session
   */
  #closeAbsent = (entry, isListed) => {
    const reason = isListed ? 'replaced' : ABSENCE[this.#agent.state] || 'connection-lost';
    return this.#cut(entry, reason, 'reconcile');
  };

  /**
   * An end that no process told; it has a time of the server's clock, as its start has.
   *
   * @param {OpenSession} entry
   * @param {CloseReason} reason
   * @param {string} [detail]
   */
  #cut = (entry, reason, detail) => {
    const serverNow = this.#now() + (this.#agent.serverAheadMs || 0);
    const session = shape.endedAt(entry.shown, serverNow);
    return this.#end(entry, { session, reason, ...(detail && { detail }) });
  };

  /**
   * @param {OpenSession} entry
   * @param {Close} close as the process means it
   */
  #end = (entry, close) => {
    if (close.reason !== 'sidecar-shutdown' || this.#isStopAsked) return this.#close(entry, close);
    entry.held = close;
    return [];
  };

  /**
   * @param {OpenSession} entry
   * @param {Close} close
   */
  #close = ({ shown: { sessionId } }, close) => {
    this.#open.delete(sessionId);
    this.#closed.add(sessionId);
    return [this.#event(NOTIFICATIONS.SessionClosed, close)];
  };

  /** @param {AgentSession} session whether this process has closed it already */
  #isLate = ({ sessionId }) =>
    !this.#open.has(sessionId) && this.#closed.isOfThisProcess(sessionId);

  /** @param {string} reason */
  #agentGone = (reason) => {
    const change = this.#agent.gone(reason);
    return change === null ? [] : [this.#event(NOTIFICATIONS.AgentStateChanged, change)];
  };

  /**
   * @param {string} name
   * @param {object} params
   * @returns {MirrorEvent}
   */
  #event = (name, params) => {
    this.#seq += 1;
    return { name, event: shape.frozen({ ...params, seq: this.#seq, epoch: this.#epoch }) };
  };
}

/** Counts one sidecar process's notifications: which are late, and whether some are missing. */
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

/** As many as the sidecar keeps of sids that are closed for good (sidecar/core/registry). */
const MAX_IDS = 4096;

/** The ids of the sessions that closed last, and under which process each did. */
class RecentIds {
  /** @type {Map<string, number>} id to process, oldest first */
  #processes = new Map();
  #process = 0;

  /** What comes from now on is another process's. */
  nextProcess() {
    this.#process += 1;
  }

  /**
   * @param {string} id of a session that closes now
   */
  add(id) {
    this.#processes.delete(id);
    this.#processes.set(id, this.#process);
    if (this.#processes.size > MAX_IDS) {
      this.#processes.delete(String(this.#processes.keys().next().value));
    }
  }

  /** @param {string} id */
  isOfThisProcess(id) {
    return this.#processes.get(id) === this.#process;
  }

  /** All of them, oldest first. */
  list() {
    return [...this.#processes.keys()];
  }
}

module.exports = { Mirror };
