'use strict';

/** Owns one open session of the mirror, over the ends of sidecar processes. Pure. */

const { changedMembers } = require('./session-shape.cjs');

/**
 * @typedef {import('../index').AgentSession} AgentSession
 * @typedef {import('../index').ResumedSession} ResumedSession
 * @typedef {{session: AgentSession, reason: import('../index').CloseReason, detail?: string}} Close
 */

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

module.exports = { MirroredSession };
