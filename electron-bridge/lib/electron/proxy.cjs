'use strict';

/**
 * Owns the answer to the sidecar's question which proxy leads to its server: signalling and API
 * calls go through it, media never does. The sidecar does not ask for a server on this machine.
 */

const { withoutSecrets } = require('../logs.cjs');
const { question } = require('../time.cjs');

/** Milliseconds; a proxy script that has to be fetched from a network that is down takes minutes.
 * The sidecar waits for 3 s. */
const ANSWER_WITHIN_MS = 2500;

/** The sidecar says CONNECT to a proxy over plain TCP (rust-sdks livekit-net/src/native/proxy.rs). */
const PROXY_OPTION = /^(system|none|http:\/\/[^/\s]+\/?)$/;

/**
 * @param {string} option 'system', 'none' or an address
 * @param {object} ports
 * @param {import('../../index').SessionModuleLike} [ports.session] there when the option is 'system'
 * @param {import('../../index').AppLike} [ports.app]
 * @param {import('../time.cjs').Deadlines} ports.deadlines
 * @param {(warning: string) => void} ports.warn
 * @returns {import('../rpc/client.cjs').Answer} to the sidecar's `resolveProxy`: an address, or null
 *   for none; it rejects when the system does not say, and then the environment counts
 */
function proxyAnswer(option, { session, app, deadlines, warn }) {
  const late = () => new Error(`the system did not answer within ${ANSWER_WITHIN_MS} ms`);
  const ask = async (/** @type {string} */ url) => {
    if (option === 'none') return null;
    if (option !== 'system') return option;
    // The default session does not exist before.
    if (app && app.whenReady) await app.whenReady();
    const { defaultSession } = /** @type {import('../../index').SessionModuleLike} */ (session);
    const { proxy, problem } = proxyOf(await defaultSession.resolveProxy(url));
    if (problem !== undefined) warn(problem);
    return proxy;
  };
  return ({ url }) => question(() => ask(url), { deadlines, withinMs: ANSWER_WITHIN_MS, late });
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
  if (skipped.length === 0) return { proxy };
  const instead = proxy === null ? 'no proxy' : withoutSecrets(proxy);
  const problem =
    `The system names a proxy of a kind that the sidecar cannot use (${skipped.join(', ')}); it ` +
    `uses ${instead}. Give \`proxy\` the address of an HTTP proxy if that does not reach the server.`;
  return { proxy, problem };
}

module.exports = { ANSWER_WITHIN_MS, PROXY_OPTION, proxyAnswer, proxyOf };
