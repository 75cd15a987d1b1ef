'use strict';

/**
 * Owns the end of each open session's conversation, which survives a crash of the sidecar: it comes
 * from the events `transcript`, and the next process gets it with the session. Pure.
 */

/** Bytes of JSON that are kept of one session; the oldest messages go first. */
const MAX_BYTES = 64 * 1024;

/** @typedef {import('../../index').Message} Message */

class Conversations {
  /** @type {Map<string, Message[]>} by sessionId, oldest message first */
  #kept = new Map();

  /** @param {any} event a `session-event` of an open session; only final words are kept */
  take({ sessionId, name, content }) {
    const { final, number, role, text, timestamp, interrupted } = Object(content);
    if (name !== 'transcript' || final !== true || !Number.isInteger(number)) return;
    const cut = interrupted === true && { interrupted };
    const message = { number, role, content: text, timestamp, ...cut };
    // An interrupted message comes a second time, under its number.
    const others = this.of(sessionId).filter((each) => each.number !== number);
    const messages = [...others, message].sort((one, other) => one.number - other.number);
    while (Buffer.byteLength(JSON.stringify(messages)) > MAX_BYTES) messages.shift();
    this.#kept.set(sessionId, messages);
  }

  /**
   * @param {string} sessionId
   * @returns {readonly Message[]} the last messages, oldest first
   */
  of(sessionId) {
    return this.#kept.get(sessionId) || [];
  }

  /** @param {string} sessionId of a session that closed */
  forget(sessionId) {
    this.#kept.delete(sessionId);
  }
}

module.exports = { Conversations };
