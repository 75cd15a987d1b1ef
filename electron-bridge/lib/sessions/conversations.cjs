'use strict';

/**
 * Owns the end of each open session's conversation, which survives a crash of the sidecar: it comes
 * from the events `transcript`, and the next process gets it with the session. Pure.
 */

/** Bytes of JSON that are kept of one session; the oldest messages go first. */
const MAX_BYTES = 64 * 1024;

/** @typedef {import('../../index').Message} Message */

/**
 * @param {readonly Message[]} messages of a session, oldest first
 * @param {any} event a `session-event` of it; only final words are kept
 * @returns {readonly Message[]} the messages after it
 */
function withWords(messages, { name, content }) {
  const { final, number, role, text, timestamp, interrupted } = Object(content);
  if (name !== 'transcript' || final !== true || !Number.isInteger(number)) return messages;
  const cut = interrupted === true && { interrupted };
  const message = { number, role, content: text, timestamp, ...cut };
  // An interrupted message comes a second time, under its number.
  const others = messages.filter((each) => each.number !== number);
  const kept = [...others, message].sort((one, other) => one.number - other.number);
  while (Buffer.byteLength(JSON.stringify(kept)) > MAX_BYTES) kept.shift();
  return kept;
}

module.exports = { withWords };
