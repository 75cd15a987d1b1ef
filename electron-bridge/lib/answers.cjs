'use strict';

/**
 * Owns the answers to the sidecar's requests. `getToken`: calls the app's function, with a deadline.
 * The sidecar decides how it uses the token and which part of an error it shows. `resolveProxy`:
 * finds the proxy for a server. Signalling and API calls go through the proxy; media never does.
 */

const { attempt } = require('./errors.cjs');

/**
 * @param {import('../index').GetToken} getToken the app's
 * @returns {import('./rpc/client.cjs').Answer} to the sidecar's `getToken`
 */
function tokenAnswer(getToken) {
  return async (request) => {
    try {
      // Only what can be meant, of this form or of LiveKit's token endpoints.
      const given = Object(await getToken(Object.freeze(request)));
      const { token, url, participant_token, server_url } = given;
      return { token, url, participant_token, server_url };
    } catch (error) {
      throw new Error(`getToken failed: ${reasonOf(error)}`);
    }
  };
}

/** @param {unknown} error */
function reasonOf(error) {
  const { message, name } = error instanceof Error ? error : { message: '', name: error };
  const words = attempt(() => String(message || name));
  return words === undefined ? 'an error that cannot be printed' : words;
}

const GIVE_PROXY = 'Give `proxy` the address of an HTTP proxy if the server is not reached.';
/** The sidecar says CONNECT to a proxy over plain TCP (rust-sdks livekit-net/src/native/proxy.rs). */
const PROXY_OPTION = /^(system|none|http:\/\/[^/\s]+\/?)$/;

/**
 * @param {string} option 'system', 'none' or an address
 * @param {object} ports
 * @param {import('../index').SessionModuleLike} [ports.session] there when the option is 'system'
 * @param {import('../index').AppLike} [ports.app]
 * @param {(warning: string) => void} ports.warn
 * @returns {import('./rpc/client.cjs').Answer} to the sidecar's `resolveProxy`: an address, or null
 *   for none; it rejects when the system does not say, and then the environment counts
 */
function proxyAnswer(option, { session, app, warn }) {
  return async ({ url }) => {
    if (option === 'none') return null;
    if (option !== 'system') return option;
    // The default session does not exist before.
    if (app && app.whenReady) await app.whenReady();
    const { defaultSession } = /** @type {import('../index').SessionModuleLike} */ (session);
    const { proxy, problem } = proxyOf(await defaultSession.resolveProxy(url));
    if (problem !== undefined) warn(problem);
    return proxy;
  };
}

/**
 * @param {unknown} answer in the words of a PAC script, as `DIRECT` or
 *   `PROXY host:port; SOCKS5 host:port; DIRECT`: the first is meant, the others are for when it fails
 * @returns {{proxy: string | null, problem?: string}} the first that the sidecar can use
 */
function proxyOf(answer) {
  /** @type {string[]} */
  const skipped = [];
  let proxy = null;
  for (const entry of String(answer).split(';')) {
    const [kind, address] = entry.trim().split(/\s+/);
    const name = kind.toUpperCase();
    if (name === 'PROXY' && address) proxy = `http://${address}`;
    if (name === 'DIRECT' || proxy !== null) break;
    if (name !== '') skipped.push(name);
  }
  const problem = `The sidecar cannot use a proxy of this kind: ${skipped.join(', ')}. ${GIVE_PROXY}`;
  return { proxy, ...(skipped.length > 0 && { problem }) };
}

module.exports = { PROXY_OPTION, proxyAnswer, proxyOf, tokenAnswer };
