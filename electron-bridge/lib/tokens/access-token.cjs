'use strict';

/**
 * Owns what an access token says of itself, unchecked (checking it is the LiveKit server's part),
 * and that no token is ever shown. Pure.
 */

/** A JSON web token, or what is left of one that was cut: all begin with `{"` in base64. */
const TOKEN = /eyJ[\w-]{4,}(?:\.[\w-]*){0,2}/g;
const CREDENTIAL = /((?:access_token|token|secret)=|bearer )[^\s&"',]+/gi;
const USERINFO = /:\/\/[^\s/@]+@/g;

/**
 * The claims that matter here (docs.livekit.io, "Tokens & grants").
 *
 * @typedef {object} TokenClaims
 * @property {string} identity empty when it names none, as with the room
 * @property {string} room
 * @property {number | null} expiresAtMs since 1970
 */

/**
 * @param {string} token
 * @returns {TokenClaims | null} null when it is no JSON web token at all
 */
function tokenClaims(token) {
  const parts = token.split('.');
  if (parts.length !== 3 || parts.includes('')) return null;
  let claims;
  try {
    claims = JSON.parse(Buffer.from(parts[1], 'base64').toString('utf8')); // base64url as well
  } catch (error) {
    return null;
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return null;
  const { exp } = claims;
  return {
    identity: text(claims.sub),
    room: text(Object(claims.video).room),
    expiresAtMs: typeof exp === 'number' && isDate(exp * 1000) ? exp * 1000 : null,
  };
}

/** @param {unknown} value */
function text(value) {
  return typeof value === 'string' ? value : '';
}

/** @param {number} ms */
function isDate(ms) {
  return !Number.isNaN(new Date(ms).getTime());
}

/**
 * @param {string} words of somebody else: an app's error, a proxy's address
 * @returns {string} the same without tokens and passwords
 */
function withoutSecrets(words) {
  return words
    .replace(TOKEN, '[token]')
    .replace(CREDENTIAL, '$1[secret]')
    .replace(USERINFO, '://[secret]@');
}

module.exports = { tokenClaims, withoutSecrets };
