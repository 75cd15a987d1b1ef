'use strict';

/**
 * Owns one session as the sidecar sends it and as the app sees it: validates, normalises and
 * compares sessions. Pure.
 */

const { isDeepStrictEqual } = require('util');

/**
 * @typedef {import('../../index').AgentSession} AgentSession
 * @typedef {{session: AgentSession, reason: import('../../index').CloseReason, detail?: string}} Close
 *
 * @typedef {object} OpenSession over the ends of sidecar processes
 * @property {AgentSession} shown as it was told last; never changed, only replaced
 * @property {Close | null} held its close by a process that nobody asked to stop: told only if that
 *   process is asked after all
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

/**
 * One process hands its sessions to the next in one line, which may have 16 MiB. So many bytes of it
 * are for whole sessions; the others and the ids of closed sessions need the rest.
 */
const MAX_WHOLE_BYTES = 8 * 1024 * 1024;

/**
 * @param {readonly AgentSession[]} sessions open ones
 * @returns {import('../../index').ResumedSession[]} `initialize.resume`: whole sessions up to
 *   MAX_WHOLE_BYTES, then only the members that a session cannot be resumed without
 */
function resumed(sessions) {
  let bytes = 0;
  return sessions.map((session) => {
    bytes += Buffer.byteLength(JSON.stringify(session));
    if (bytes <= MAX_WHOLE_BYTES) return session;
    const { sessionId, participantId, participantSid, roomName, startTime, messageCount } = session;
    return { sessionId, participantId, participantSid, roomName, startTime, messageCount };
  });
}

module.exports = {
  asCreated,
  changedMembers,
  endedAt,
  frozen,
  listingOf,
  resumed,
  sessionOf,
};
