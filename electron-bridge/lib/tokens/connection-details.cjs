'use strict';

/**
 * Owns the answer to `createConnection` where the sidecar has no secret to make a token with: the
 * same checks and the same shape as the sidecar's own (sidecar/core/page_access.py), the token by
 * the app's `getToken`. Pure, but for the identity it makes up.
 */

const crypto = require('crypto');

const { RpcError, SidecarError } = require('../errors.cjs');
const { ERRORS } = require('../protocol.cjs');
const { tokenClaims } = require('./access-token.cjs');

/** The LiveKit server answers 400 to an identity longer than this. */
const MAX_NAME_CHARACTERS = 256;
const MAX_SHOWN_BYTES = 16 * 1024;
const MIN_TTL_S = 60;
const MAX_TTL_S = 86400;

/** @typedef {import('../../index').ConnectionParams} ConnectionParams */

const isText = (/** @type {unknown} */ value) => typeof value === 'string';
const isName = (/** @type {any} */ value) => isText(value) && value.length <= MAX_NAME_CHARACTERS;
const isFlag = (/** @type {unknown} */ value) => typeof value === 'boolean';
const isTtl = (/** @type {any} */ value) =>
  Number.isInteger(value) && value >= MIN_TTL_S && value <= MAX_TTL_S;
const isMetadata = (/** @type {any} */ value) =>
  isText(value) && Buffer.byteLength(value) <= MAX_SHOWN_BYTES;
const isAttributes = (/** @type {unknown} */ value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const texts = Object.entries(value).flat();
  return texts.every(isText) && Buffer.byteLength(texts.join('')) <= MAX_SHOWN_BYTES;
};

/** @type {Readonly<Record<string, {is: (value: any) => boolean, words: string}>>} */
const PARAMS = Object.freeze({
  identity: {
    is: (value) => isName(value) && value !== '',
    words: `must have 1 to ${MAX_NAME_CHARACTERS} characters`,
  },
  name: { is: isName, words: `must not be over ${MAX_NAME_CHARACTERS} characters` },
  metadata: { is: isMetadata, words: `must be a text, not over ${MAX_SHOWN_BYTES} bytes` },
  attributes: {
    is: isAttributes,
    words: `must be an object of texts, not over ${MAX_SHOWN_BYTES} bytes in all`,
  },
  ttlSeconds: { is: isTtl, words: `must be from ${MIN_TTL_S} to ${MAX_TTL_S}` },
  canPublish: { is: isFlag, words: 'must be true or false' },
  canSubscribe: { is: isFlag, words: 'must be true or false' },
  canPublishData: { is: isFlag, words: 'must be true or false' },
});

/**
 * What the app is to be asked.
 *
 * @param {unknown} params of `createConnection`
 * @param {{room: string, agentIdentities: readonly string[]}} agent its room, and
 *   under which names it is or would be there
 * @returns {import('../../index').TokenRequest}
 * @throws {RpcError} -32602, as the sidecar's
 */
function connectionRequest(params, { room, agentIdentities }) {
  const given = checkedParams(params);
  const { identity = `person-${crypto.randomBytes(4).toString('hex')}`, name, ...more } = given;
  if (agentIdentities.includes(identity)) {
    throw refusal('identity', "must not be the agent's own: it would be put out of the room");
  }
  return {
    purpose: 'connection',
    room,
    identity,
    ...(name && { name }),
    grants: Object.freeze({ canPublish: true, canSubscribe: true, canPublishData: true, ...more }),
  };
}

/**
 * @param {unknown} params
 * @returns {any} without what is null, which means left out
 */
function checkedParams(params) {
  /** @type {Record<string, unknown>} */
  const given = {};
  for (const [member, value] of Object.entries(Object(params))) {
    if (!Object.prototype.hasOwnProperty.call(PARAMS, member)) {
      throw refusal(member, 'is not known');
    }
    if (value === null || value === undefined) continue;
    const { is, words } = PARAMS[member];
    if (!is(value)) throw refusal(member, words);
    given[member] = value;
  }
  return given;
}

/**
 * @param {string} member
 * @param {string} problem
 */
function refusal(member, problem) {
  return new RpcError(ERRORS.INVALID_PARAMS, `Invalid params: params.${member} ${problem}.`, {
    fix: `Correct ${member}.`,
  });
}

/**
 * @param {import('../../index').TokenRequest} request
 * @param {import('../../index').AccessToken} answer of the app
 * @param {string} url of the option `connect`
 * @returns {import('../../index').ConnectionDetails}
 * @throws {RpcError} 1006, when the token is not one for what was asked
 */
function connectionDetails({ room, identity }, { token, url: givenUrl }, url) {
  const claims = tokenClaims(token);
  if (claims === null) throw noToken('getToken gave something that is no access token');
  if (claims.room !== room) throw noToken('getToken gave a token for another room');
  if (claims.identity !== identity) throw noToken('getToken gave a token for another identity');
  if (claims.expiresAtMs === null) throw noToken('getToken gave a token without an expiry (`exp`)');
  const expiresAt = new Date(claims.expiresAtMs).toISOString();
  return { url: givenUrl || url, room, identity, token, expiresAt };
}

/**
 * @param {Error} error with which getToken was no answer
 * @returns {Error} what createConnection rejects with
 */
function connectionFailure(error) {
  if (error instanceof SidecarError || error instanceof RpcError) return error;
  return noToken(error.message.replace(/\.$/, ''));
}

/** @param {string} problem without a full stop */
function noToken(problem) {
  return new RpcError(ERRORS.NOT_ALLOWED, `There is no access token for this person: ${problem}.`, {
    fix: 'Check the token endpoint behind `getToken`.',
  });
}

module.exports = { connectionDetails, connectionFailure, connectionRequest };
