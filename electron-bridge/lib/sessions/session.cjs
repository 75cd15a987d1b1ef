'use strict';

/**
 * Owns one session as the sidecar sends it and as the app sees it: validates, normalises and
 * compares sessions, and keeps an open one over the ends of sidecar processes. Pure.
 */

const { isDeepStrictEqual } = require('util');

/**
 * @typedef {import('../../index').AgentSession} AgentSession
 * @typedef {import('../../index').ResumedSession} ResumedSession
 * @typedef {{session: AgentSession, reason: import('../../index').CloseReason, detail?: string}} Close
 */

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
 * @param {any} listing result of `listSessions`
 * @returns {{listed: Map<string, AgentSession>, identities: Set<string>, seq: unknown}} its
 *   sessions by id, in their order
 * @throws {TypeError} when it is none
 */
function listingOf(listing) {
  const { sessions, seq } = Object(listing);
  if (!Array.isArray(sessions)) throw new TypeError('it has no sessions');
  const listed = new Map(sessions.map((session) => [sessionOf({ session }).sessionId, session]));
  return { listed, identities: new Set(sessions.map((each) => each.participantId)), seq };
}

/**
 * @param {AgentSession} session at any later time
 * @returns {AgentSession} as its `session-created` showed it
 */
function asCreated(session) {
  const { endTime, ...rest } = session;
  return { ...rest, messageCount: 0, connectionState: 'connecting' };
}

/**
 * @param {AgentSession} session
 * @param {number} nowMs wall time
 * @returns {AgentSession} closed; its end is never before its start
 */
function endedAt(session, nowMs) {
  const now = new Date(nowMs).toISOString();
  const endTime = session.startTime > now ? session.startTime : now; // both UTC, of one form
  return { ...session, connectionState: 'closed', endTime };
}

/**
 * @param {AgentSession} before
 * @param {AgentSession} after
 * @returns {string[]} the members in which they differ
 */
function changedMembers(before, after) {
  const names = Object.keys({ ...after, ...before });
  /** @type {(name: string) => boolean} */
  const differs = (name) =>
    !isDeepStrictEqual(
      before[/** @type {keyof AgentSession} */ (name)],
      after[/** @type {keyof AgentSession} */ (name)],
    );
  return names.filter(differs);
}

/**
 * @template T
 * @param {T} value of JSON's kinds
 * @returns {T} the same, frozen with all in it
 */
function frozen(value) {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

/** What a process knows of a session that it took over by `initialize.resume` and has not seen. */
const KNOWN_UNSEEN = Object.freeze([
  'sessionId',
  'participantId',
  'participantSid',
  'roomName',
  'startTime',
  'messageCount',
  'connectionState',
  'endTime',
]);

class MirroredSession {
  /** As it was told last; never changed, only replaced. @type {AgentSession} */
  shown;
  /**
   * Its close by a process that nobody asked to stop: told only if that process is asked after all.
   * @type {Close | null}
   */
  held = null;
  /** The present process has seen nothing of it, and knows no more than `resume` said. */
  isUnseen = false;

  /** @param {AgentSession} session */
  constructor(session) {
    this.shown = session;
  }

  /**
   * A process begins.
   * @returns {ResumedSession} what it is told of this session
   */
  handOver() {
    this.isUnseen = true;
    const { sessionId, participantId, participantSid, roomName, startTime, messageCount } =
      this.shown;
    return { sessionId, participantId, participantSid, roomName, startTime, messageCount };
  }

  /**
   * The process is gone: it waits for the next one.
   * @returns {string[]} the members that changed by that
   */
  wait() {
    this.held = null;
    return this.#show({ ...this.shown, connectionState: 'reconnecting' });
  }

  /**
   * @param {AgentSession} session as the present process tells it
   * @returns {string[]} the members in which it differs from what was told
   */
  take(session) {
    const whole = this.completed(session);
    if (session.connectionState !== 'reconnecting') this.isUnseen = false;
    return this.#show(whole);
  }

  /**
   * @param {AgentSession} session as the present process tells it
   * @returns {AgentSession} with what that process cannot know
   */
  completed(session) {
    if (!this.isUnseen || !['reconnecting', 'closed'].includes(session.connectionState)) {
      return session;
    }
    const unknown = Object.entries(this.shown).filter(([name]) => !KNOWN_UNSEEN.includes(name));
    return { ...session, ...Object.fromEntries(unknown) };
  }

  /** @param {AgentSession} session */
  #show = (session) => {
    const changed = changedMembers(this.shown, session);
    this.shown = session;
    return changed;
  };
}

module.exports = {
  MirroredSession,
  asCreated,
  changedMembers,
  endedAt,
  frozen,
  listingOf,
  sessionOf,
};
