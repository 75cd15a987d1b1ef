'use strict';

/**
 * Owns the call of the app's `getToken`: its deadline, and that no secret of its errors is shown.
 * What the token is good for is the sidecar's to check.
 */

const { withoutSecrets } = require('./logs.cjs');
const { question } = require('./time.cjs');

/** Milliseconds; a token endpoint that takes longer is as good as down. The sidecar waits for 30 s. */
const ANSWER_WITHIN_MS = 20 * 1000;
/** How much of the app's own error goes on. */
const SHOWN_CHARACTERS = 300;

/**
 * @param {import('../index').GetToken} getToken the app's
 * @param {import('./time.cjs').Deadlines} deadlines
 * @returns {import('./rpc/client.cjs').Answer} to the sidecar's `getToken`
 */
function tokenAnswer(getToken, deadlines) {
  const late = () =>
    new Error(
      `getToken gave no token within ${ANSWER_WITHIN_MS} ms. Have it fail instead when your token ` +
        'endpoint does not answer',
    );
  return (request) =>
    question(() => asked(getToken, request), { deadlines, withinMs: ANSWER_WITHIN_MS, late });
}

/**
 * @param {import('../index').GetToken} getToken
 * @param {any} request
 * @returns {Promise<object>} only what can be meant, of this form or of LiveKit's token endpoints
 */
async function asked(getToken, request) {
  try {
    const given = await getToken(Object.freeze(request));
    const { token, url, participant_token, server_url } = Object(given);
    return { token, url, participant_token, server_url };
  } catch (error) {
    throw new Error(`getToken failed: ${reasonOf(error)}`);
  }
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

module.exports = { ANSWER_WITHIN_MS, tokenAnswer };
