'use strict';

/**
 * Owns what is asked of sessions as the sidecar sends them: whether they are any, what they were,
 * in what two of them differ. Pure.
 */

const { isDeepStrictEqual } = require('util');

/** @typedef {import('../index').AgentSession} AgentSession */

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

module.exports = {
  asCreated,
  changedMembers,
  endedAt,
  frozen,
  listingOf,
  sessionOf,
};
