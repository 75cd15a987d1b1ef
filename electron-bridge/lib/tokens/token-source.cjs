'use strict';

/**
 * Owns one question to the app's `getToken`: its deadline, and the check of what comes back, which
 * is as untrusted as any input. Knows neither the sidecar nor what a token is for.
 */

const { SidecarError } = require('../errors.cjs');
const { question } = require('../time.cjs');
const { withoutSecrets } = require('./access-token.cjs');

/** Milliseconds; a token endpoint that takes longer is as good as down. */
const ANSWER_WITHIN_MS = 20 * 1000;
/** How much of the app's own error goes into ours. */
const SHOWN_CHARACTERS = 300;
const SERVER_URL = /^(wss?|https?):\/\/[^/]/;

/**
 * @typedef {import('../../index').TokenRequest} TokenRequest
 * @typedef {import('../../index').AccessToken} AccessToken
 */

class TokenSource {
  #getToken;
  #deadlines;

  /**
   * @param {import('../../index').GetToken} getToken the app's
   * @param {import('../time.cjs').Deadlines} deadlines
   */
  constructor(getToken, deadlines) {
    this.#getToken = getToken;
    this.#deadlines = deadlines;
  }

  /**
   * @param {TokenRequest} request
   * @param {number} [withinMs]
   * @returns {import('../time.cjs').Question<AccessToken>} rejects with TIMEOUT, or with an Error
   *   whose message says what was wrong and shows no token
   */
  ask(request, withinMs = ANSWER_WITHIN_MS) {
    const limit = { deadlines: this.#deadlines, withinMs, late: () => late(withinMs) };
    const ask = async () => checkedAnswer(await this.#given(request));
    return question(ask, limit);
  }

  /** @param {TokenRequest} request */
  #given = async (request) => {
    try {
      return await this.#getToken(Object.freeze(request));
    } catch (error) {
      throw new Error(`getToken failed: ${reasonOf(error)}`);
    }
  };
}

/** @param {unknown} given */
function checkedAnswer(given) {
  const { token, url } = Object(given);
  if (typeof token !== 'string' || token === '') {
    throw new Error(
      `getToken must give { token } with an access token, but it gave ${what(given, token)}.`,
    );
  }
  if (url !== undefined && (typeof url !== 'string' || !SERVER_URL.test(url))) {
    throw new Error(
      "getToken gave a `url` that is none. Leave it out, or give the LiveKit server's address, " +
        'as wss://example.livekit.cloud.',
    );
  }
  return url === undefined ? { token } : { token, url };
}

/**
 * What a value is, never what a string says.
 *
 * @param {unknown} given
 * @param {unknown} token
 */
function what(given, token) {
  if (given === null || typeof given !== 'object') return given === null ? 'null' : typeof given;
  if (token === '') return 'an empty one';
  return `a token of type ${token === null ? 'null' : typeof token}`;
}

/** @param {unknown} error */
function reasonOf(error) {
  let words;
  try {
    words = error instanceof Error ? error.message || error.name : String(error);
  } catch (unprintable) {
    words = 'an error that cannot be printed';
  }
  return withoutSecrets(words).slice(0, SHOWN_CHARACTERS);
}

/** @param {number} withinMs */
function late(withinMs) {
  return new SidecarError(
    'TIMEOUT',
    `getToken gave no token within ${withinMs} ms. Have it fail instead when your token ` +
      'endpoint does not answer.',
  );
}

module.exports = { ANSWER_WITHIN_MS, TokenSource };
