'use strict';

/**
 * Owns what goes over IPC: of what a page passes only what is listed here, and of these types, goes
 * further (the limits of the values are the sidecar's to judge); and an error goes to a page as
 * {name, code, message, data}, since Electron's IPC keeps nothing of an Error but its message. No
 * stack, no output of the sidecar.
 */

const { RpcError, SidecarError } = require('../errors.cjs');
const { TOPICS } = require('./subscriptions.cjs');

/** Characters of any one text: more than any the sidecar takes (16 KiB), and no burden. */
const MAX_TEXT = 16 * 1024;

/** @typedef {import('../../protocol').ConnectionParams} ConnectionParams */

/** A page passed something else than the call takes; `message` says what it takes. */
class ArgumentError extends Error {}

/** The app does not let its pages do that. */
class Refusal extends Error {
  /** @param {string} call */
  constructor(call) {
    super(`${call}: this app does not let its pages do that.`);
  }
}

const isText = (/** @type {unknown} */ value) =>
  typeof value === 'string' && value.length <= MAX_TEXT;
const isBoolean = (/** @type {unknown} */ value) => typeof value === 'boolean';
const isPlain = (/** @type {unknown} */ value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @type {Readonly<Record<keyof ConnectionParams, {is: (value: unknown) => boolean, words: string}>>} */
const CONNECTION = Object.freeze({
  identity: { is: isText, words: 'a string' },
  name: { is: isText, words: 'a string' },
  metadata: { is: isText, words: 'a string' },
  attributes: {
    is: (/** @type {unknown} */ value) =>
      isPlain(value) && Object.entries(Object(value)).every((entry) => entry.every(isText)),
    words: 'an object of strings',
  },
  ttlSeconds: { is: Number.isInteger, words: 'a whole number of seconds' },
  canPublish: { is: isBoolean, words: 'true or false' },
  canSubscribe: { is: isBoolean, words: 'true or false' },
  canPublishData: { is: isBoolean, words: 'true or false' },
});

/**
 * @param {unknown} given
 * @returns {ConnectionParams} a copy of what there is
 * @throws {ArgumentError}
 */
function connectionOptions(given = {}) {
  if (!isPlain(given)) throw new ArgumentError('createConnection: the options must be an object.');
  const options = Object(given);
  const unknown = Object.keys(options).find((name) => !Object.keys(CONNECTION).includes(name));
  if (unknown !== undefined) {
    const names = Object.keys(CONNECTION).join(', ');
    throw new ArgumentError(
      `createConnection: there is no option ${JSON.stringify(unknown.slice(0, 64))}. ` +
        `The options are ${names}.`,
    );
  }
  /** @type {Record<string, unknown>} */
  const taken = {};
  for (const [name, { is, words }] of Object.entries(CONNECTION)) {
    const value = options[name];
    if (value === undefined || value === null) continue;
    if (!is(value)) throw new ArgumentError(`createConnection: \`${name}\` must be ${words}.`);
    taken[name] = value;
  }
  return taken;
}

/**
 * @param {unknown} given
 * @returns {string}
 * @throws {ArgumentError}
 */
function sessionId(given) {
  if (isText(given) && given !== '') return String(given);
  throw new ArgumentError('closeSession: the session id must be a string.');
}

/**
 * @param {unknown} given
 * @returns {string}
 * @throws {ArgumentError}
 */
function topic(given) {
  const found = Object.values(TOPICS).find((each) => each === given);
  if (found === undefined)
    throw new ArgumentError('There is nothing of that name to subscribe to.');
  return found;
}

/**
 * @param {unknown} error
 * @returns {import('../../preload').ClaraError}
 */
function plainError(error) {
  if (error instanceof RpcError) {
    const { code, message, data } = error;
    return { name: 'RpcError', code, message, ...(data !== undefined && { data: { ...data } }) };
  }
  if (error instanceof SidecarError)
    return { name: 'SidecarError', code: error.code, message: error.message };
  if (error instanceof ArgumentError) return claraError('INVALID_ARGUMENT', error.message);
  if (error instanceof Refusal) {
    const fix = 'Take the rule out of `pages` of createSidecar if they are meant to.';
    return claraError('DENIED', error.message, fix);
  }
  // Of the app's own code: its getToken, for one.
  return claraError('UNEXPECTED', error instanceof Error ? error.message : String(error));
}

/**
 * @param {'DENIED' | 'INVALID_ARGUMENT' | 'UNEXPECTED'} code
 * @param {string} message
 * @param {string} [fix]
 * @returns {import('../../preload').ClaraError}
 */
function claraError(code, message, fix) {
  return { name: 'ClaraError', code, message, ...(fix !== undefined && { data: { fix } }) };
}

module.exports = {
  ArgumentError,
  Refusal,
  claraError,
  connectionOptions,
  plainError,
  sessionId,
  topic,
};
