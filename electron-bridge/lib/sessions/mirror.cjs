'use strict';

/**
 * Owns what the app is told of sessions and of the agent: takes what one sidecar process after the
 * other says, and gives the events, so that every session is created once and closed once whatever
 * becomes of those processes. Pure, but for the wall clock and the deadlines that it is given.
 */

const { isDeepStrictEqual } = require('util');

const { NOTIFICATIONS } = require('../protocol.cjs');
const { withWords } = require('./conversations.cjs');

/**
 * @typedef {import('../../index').AgentSession} AgentSession
 * @typedef {import('../../index').AgentState} AgentState
 * @typedef {import('../../index').CloseReason} CloseReason
 * @typedef {{session: AgentSession, reason: CloseReason, detail?: string}} Close
 *
 * @typedef {Pick<import('../../index').InitializeParams, 'resume' | 'usedIds' | 'outageMs' | 'serverAheadMs'>} Inheritance
 *
 * @typedef {object} MirrorEvent
 * @property {string} name one of NOTIFICATIONS
 * @property {any} event its params, frozen, with the mirror's seq and epoch
 */

/** @type {readonly string[]} */
const KNOWN = Object.values(NOTIFICATIONS);

/**
 * Close reason of a session that is missing from a listing, by the agent's state;
 * `connection-lost` in any other.
 * @type {Readonly<Partial<Record<AgentState, CloseReason>>>}
 */
const ABSENCE = { connected: 'left', idle: 'agent-disconnected', stopping: 'sidecar-shutdown' };

const NO_CAPABILITIES = { createConnection: false, closeSession: false, reconcile: false };

/** As many as the sidecar keeps of sids that are closed for good (sidecar/core/registry). */
const MAX_IDS = 4096;

/**
 * One process hands its sessions to the next in one line, which may have 16 MiB. The share of whole
 * sessions, in bytes; the others and the ids of closed sessions need the rest.
 */
const MAX_WHOLE_BYTES = 8 * 1024 * 1024;

/**
 * Milliseconds; a longer outage ends no more sessions than this one does
 * (sidecar/core/registry/deadlines.py, OUTAGE: 45 s).
 */
const LONGEST_OUTAGE_MS = 60 * 1000;

class Mirror {
  #epoch;
  #now;
  #deadlines;
  #seq = 0;
  /** @type {MirrorEvent[]} what the call under way gives */
  #events = [];
  /** @type {Map<string, AgentSession>} by sessionId, oldest announcement first, as told last; a
   *   session is never changed, only replaced */
  #open = new Map();
  /** @type {Map<string, Close>} by sessionId, the closes by a process that was not asked to stop:
   *   told only if that process is asked after all */
  #held = new Map();
  /** @type {Map<string, object>} sessionId to the token of its process, oldest first */
  #closed = new Map();
  /** @type {Map<string, readonly import('../../index').Message[]>} by sessionId, of open sessions */
  #conversations = new Map();
  /** A token of the process that runs now. */
  #process = {};
  /** The last seq that this process said. */
  #heard = 0;
  /** Whether notifications are missing, so that only a listing names the open sessions. */
  isBehind = false;
  #isStopAsked = false;
  /** @type {AgentState} */
  #agentState = 'idle';
  /** @type {import('../time.cjs').Deadline | undefined} of the longest outage, while the agent is out
   *   of its room and a process is to bring it back; nothing happens at its end */
  #outage;
  /** Whether the app was told of a capability of the agent. */
  #isAble = false;
  /** @type {number | undefined} how far the server's clock is ahead, once a sidecar said it */
  #serverAheadMs;

  /**
   * @param {string} epoch of the mirror; that of a sidecar process stays inside
   * @param {() => number} now wall time in milliseconds, for the ends that no sidecar has seen
   * @param {Pick<import('../time.cjs').Deadlines, 'set' | 'clear'>} deadlines in whose time the
   *   agent is out of its room
   */
  constructor(epoch, now, deadlines) {
    this.#epoch = epoch;
    this.#now = now;
    this.#deadlines = deadlines;
  }

  /**
   * A process begins.
   * @returns {Inheritance} what its `initialize` is told of the sessions of earlier ones
   */
  begin() {
    this.#process = {};
    this.#heard = 0;
    this.isBehind = false;
    this.#isStopAsked = false;
    const resume = resumed([...this.#open.values()], this.#conversations);
    const usedIds = [...this.#closed.keys()];
    const outageMs = this.#outage === undefined ? 0 : LONGEST_OUTAGE_MS - this.#outage.leftMs;
    return { resume, usedIds, outageMs, serverAheadMs: this.#serverAheadMs };
  }

  /**
   * Takes a notification, also of a method that this version does not know: its seq counts.
   *
   * @param {string} method
   * @param {any} params
   * @returns {MirrorEvent[]}
   * @throws {TypeError} when it lacks what every version of it has
   */
  take(method, params) {
    if (!this.#isNews(Object(params).seq)) return [];
    if (method === NOTIFICATIONS.AgentStateChanged) this.#takeAgent(Object(params));
    else if (method === NOTIFICATIONS.SessionEvent) this.#takeEvent(Object(params));
    else if (method === NOTIFICATIONS.Health) this.#tell(method, { ...params });
    else if (KNOWN.includes(method)) this.#takeSession(method, sessionOf(params), params);
    return this.#taken();
  }

  /**
   * Takes a page of a listing. At the moment its answer is handled it and the mirror are the same
   * state, so what differs was lost on the way. The pages are in the order of the announcements: a
   * session that is on none of them is closed.
   *
   * @param {any} listing result of `listSessions`
   * @param {Set<string>} onPages the ids of the earlier pages; those of this one are added
   * @returns {MirrorEvent[]}
   * @throws {TypeError} when it is none
   */
  takeListing(listing, onPages = new Set()) {
    const { sessions, seq, next } = Object(listing);
    if (!Array.isArray(sessions)) throw new TypeError('it has no sessions');
    const listed = new Map(sessions.map((session) => [sessionOf({ session }).sessionId, session]));
    const identities = new Set(sessions.map((session) => session.participantId));
    // The first page heals a gap; a gap between two pages is not healed by the pages after it.
    if (onPages.size === 0) this.isBehind = false;
    else if (seq > this.#heard) this.isBehind = true;
    if (Number.isInteger(seq)) this.#heard = Math.max(this.#heard, seq);
    for (const id of listed.keys()) onPages.add(id);
    const absence = ABSENCE[this.#agentState] || 'connection-lost';
    for (const session of this.#open.values()) {
      const { sessionId, participantId } = session;
      if (onPages.has(sessionId) || this.#held.has(sessionId)) continue;
      const isReplaced = identities.has(participantId);
      if (next !== undefined && !isReplaced) continue;
      this.#cut(session, isReplaced ? 'replaced' : absence, 'reconcile');
    }
    for (const session of listed.values()) {
      this.#takeSession(NOTIFICATIONS.SessionUpdated, session, {});
    }
    return this.#taken();
  }

  /**
   * The process is asked to stop: from now on its closes are as they should be.
   * @returns {MirrorEvent[]}
   */
  stopAsked() {
    this.#isStopAsked = true;
    for (const close of this.#held.values()) this.#close(close);
    return this.#taken();
  }

  /**
   * The process is gone and another will take its place: the open sessions wait for the answer.
   * @returns {MirrorEvent[]}
   */
  crashed() {
    this.#held.clear();
    for (const session of this.#open.values()) {
      this.#show({ ...session, connectionState: 'reconnecting' }, {});
    }
    this.#agentGone('sidecar-exited');
    return this.#taken();
  }

  /**
   * The process is gone and none takes its place.
   *
   * @param {string} reason of the agent's state
   * @returns {MirrorEvent[]}
   */
  ended(reason) {
    const events = this.resumeRefused();
    this.#agentGone(reason);
    this.#endOutage();
    return [...events, ...this.#taken()];
  }

  /**
   * No process looks after the open sessions any more.
   * @returns {MirrorEvent[]}
   */
  resumeRefused() {
    for (const session of this.#open.values()) this.#cut(session, 'sidecar-exited');
    return this.#taken();
  }

  /**
   * @param {any} seq of a notification; of one that has none nothing can be said
   * @returns {boolean} false when it was heard before
   */
  #isNews = (seq) => {
    if (!Number.isInteger(seq)) return true;
    if (seq <= this.#heard) return false;
    if (seq > this.#heard + 1) this.isBehind = true;
    this.#heard = seq;
    return true;
  };

  /**
   * The app is told of a state that begins where the last one ended: the seqs that a gap or a crash
   * swallowed are skipped.
   *
   * @param {any} params of the sidecar's `agent-state-changed`
   */
  #takeAgent = (params) => {
    const { state, capabilities, serverAheadMs } = params;
    if (typeof state !== 'string') throw new TypeError('it has no state');
    const previousState = this.#agentState;
    this.#agentState = /** @type {AgentState} */ (state);
    this.#isAble = Object.values(Object(capabilities)).includes(true);
    if (Number.isInteger(serverAheadMs)) this.#serverAheadMs = serverAheadMs;
    if (state === 'connected') this.#endOutage();
    else if (this.#outage === undefined) {
      this.#outage = this.#deadlines.set(LONGEST_OUTAGE_MS, () => {});
    }
    this.#event(NOTIFICATIONS.AgentStateChanged, { ...params, previousState });
  };

  /** @param {any} params of a `session-event`: it changes no session, and is told as it came */
  #takeEvent = (params) => {
    const { sessionId } = params;
    if (!this.#open.has(sessionId)) return;
    const before = this.#conversations.get(sessionId) || [];
    this.#conversations.set(sessionId, withWords(before, params));
    this.#tell(NOTIFICATIONS.SessionEvent, { ...params });
  };

  /**
   * The process behind the agent is gone.
   * @param {string} reason
   */
  #agentGone = (reason) => {
    // Nothing to tell of an agent that the app knows as idle and without rights.
    if (this.#agentState === 'idle' && !this.#isAble) return;
    this.#takeAgent({ state: 'idle', reason, capabilities: NO_CAPABILITIES });
  };

  /** The agent is in its room, or no process is to bring it back. */
  #endOutage = () => {
    this.#deadlines.clear(this.#outage);
    this.#outage = undefined;
  };

  /**
   * Takes the present form of a session, known or not, unless this process has closed the session
   * already. A session with a lost creation is created first.
   *
   * @param {string} method
   * @param {AgentSession} session
   * @param {any} params
   */
  #takeSession = (method, session, params) => {
    const { endTime, ...open } = session;
    if (!this.#open.has(session.sessionId)) {
      if (this.#closed.get(session.sessionId) === this.#process) return;
      if (method === NOTIFICATIONS.SessionCreated) this.#create(session, params);
      else this.#create({ ...open, messageCount: 0, connectionState: 'connecting' }, {});
    }
    if (method === NOTIFICATIONS.SessionClosed) this.#end(params);
    else this.#show(session, params);
  };

  /**
   * @param {AgentSession} session
   * @param {object} params
   */
  #create = (session, params) => {
    for (const each of this.isBehind ? this.#open.values() : []) {
      // An identity is in a room once: the close of its earlier session is among what was lost.
      if (each.participantId === session.participantId) this.#cut(each, 'replaced', 'reconcile');
    }
    this.#open.set(session.sessionId, session);
    this.#event(NOTIFICATIONS.SessionCreated, { ...params, session });
  };

  /**
   * @param {any} session that is open, as it is now
   * @param {object} params
   */
  #show = (session, params) => {
    /** @type {any} */
    const before = this.#open.get(session.sessionId);
    const names = Object.keys({ ...session, ...before });
    const changed = names.filter((name) => !isDeepStrictEqual(before[name], session[name]));
    this.#open.set(session.sessionId, session);
    if (changed.length === 0) return;
    this.#event(NOTIFICATIONS.SessionUpdated, { ...params, session, changed });
  };

  /**
   * An end that no process told; it has a time of the server's clock, as its start has.
   *
   * @param {AgentSession} session
   * @param {CloseReason} reason
   * @param {string} [detail]
   */
  #cut = (session, reason, detail) => {
    const now = new Date(this.#now() + (this.#serverAheadMs || 0)).toISOString();
    // Never before its start; both are UTC, of one form.
    const endTime = session.startTime > now ? session.startTime : now;
    const closed = { ...session, connectionState: /** @type {const} */ ('closed'), endTime };
    this.#end({ session: closed, reason, ...(detail && { detail }) });
  };

  /** @param {Close} close as the process means it */
  #end = (close) => {
    if (close.reason !== 'sidecar-shutdown' || this.#isStopAsked) this.#close(close);
    else this.#held.set(close.session.sessionId, close);
  };

  /** @param {Close} close */
  #close = (close) => {
    const { sessionId } = close.session;
    this.#open.delete(sessionId);
    this.#held.delete(sessionId);
    this.#conversations.delete(sessionId);
    this.#closed.delete(sessionId);
    this.#closed.set(sessionId, this.#process);
    const [oldest] = this.#closed.keys();
    if (this.#closed.size > MAX_IDS) this.#closed.delete(oldest);
    this.#event(NOTIFICATIONS.SessionClosed, close);
  };

  /**
   * @param {string} name
   * @param {object} params
   */
  #event = (name, params) => {
    this.#seq += 1;
    this.#tell(name, { ...params, seq: this.#seq, epoch: this.#epoch });
  };

  /**
   * @param {string} name
   * @param {object} event
   */
  #tell = (name, event) => {
    this.#events.push({ name, event: frozen(event) });
  };

  #taken = () => this.#events.splice(0);
}

/**
 * @param {any} params of a notification about a session
 * @returns {AgentSession}
 * @throws {TypeError} when there is none in it
 */
function sessionOf(params) {
  const { session } = Object(params);
  if (typeof Object(session).sessionId !== 'string') throw new TypeError('it has no session');
  return session;
}

/**
 * @template T
 * @param {T} value of JSON's kinds
 * @returns {T} the same, frozen with all in it
 */
function frozen(value) {
  // Only an object is not frozen.
  if (!Object.isFrozen(value)) {
    Object.values(Object(value)).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

/**
 * @param {readonly AgentSession[]} sessions open ones
 * @param {ReadonlyMap<string, readonly import('../../index').Message[]>} conversations
 * @returns {import('../../index').ResumedSession[]} `initialize.resume`: whole sessions up to
 *   MAX_WHOLE_BYTES, then only the members that a session cannot be resumed without
 */
function resumed(sessions, conversations) {
  let bytes = 0;
  return sessions.map((open) => {
    const conversation = conversations.get(open.sessionId) || [];
    const session = conversation.length === 0 ? open : { ...open, conversation };
    bytes += Buffer.byteLength(JSON.stringify(session));
    if (bytes <= MAX_WHOLE_BYTES) return session;
    const { sessionId, participantId, participantSid, roomName, startTime, messageCount } = session;
    return { sessionId, participantId, participantSid, roomName, startTime, messageCount };
  });
}

module.exports = { Mirror };
