'use strict';

/**
 * Owns which proxy the sidecar is told of at its start: signalling and API calls go through it,
 * media never does. The sidecar itself leaves it out for a server on this machine. Starts nothing.
 */

const { question } = require('../time.cjs');
const { withoutSecrets } = require('../tokens/access-token.cjs');

/** Milliseconds; a proxy script that has to be fetched from a network that is down takes minutes. */
const ANSWER_WITHIN_MS = 5 * 1000;

/** What the native layer and Python read, in any case: see sidecar/rtc/proxies.py. */
const VARIABLES = /^(http|https|all|no)_proxy$/i;

/**
 * What the sidecar can go through: it says CONNECT to a proxy over plain TCP
 * (rust-sdks livekit-net/src/native/proxy.rs).
 */
const PROXY_OPTION = /^(system|none|http:\/\/[^/\s]+\/?)$/;

/**
 * @typedef {string | null} Proxy an address, or null for none
 *
 * @typedef {object} Choice
 * @property {Promise<Proxy | undefined>} answer undefined: the environment counts as it is; never
 *   rejects
 * @property {() => void} abandon nobody waits for it any more
 *
 * @typedef {object} Ports
 * @property {import('../../index').SessionModuleLike} [session] there when the option is 'system'
 * @property {import('../../index').AppLike} [app]
 * @property {import('../time.cjs').Deadlines} deadlines
 * @property {(warning: string) => void} warn
 */

/**
 * @param {'system' | 'none' | string} option
 * @param {string} serverUrl
 * @param {Ports} ports
 * @returns {Choice}
 */
function chosenProxy(option, serverUrl, ports) {
  if (option !== 'system') {
    const known = option === 'none' ? null : option;
    return { answer: Promise.resolve(known), abandon: () => {} };
  }
  const { app, deadlines } = ports;
  const late = () => new Error(`no answer within ${ANSWER_WITHIN_MS} ms`);
  const limit = { deadlines, withinMs: ANSWER_WITHIN_MS, late };
  let isAbandoned = false;
  /** @type {import('../time.cjs').Question<string> | undefined} */
  let asked;
  const ask = async () => {
    // The default session does not exist before; and until then no time counts.
    if (app && app.whenReady) await app.whenReady();
    if (isAbandoned) return undefined;
    asked = question(() => systemAnswer(serverUrl, ports), limit);
    return asked.answer.then(
      (words) => usable(words, ports),
      (error) => (isAbandoned ? undefined : unknown(error, ports)),
    );
  };
  const abandon = () => {
    isAbandoned = true;
    if (asked !== undefined) asked.abandon(new Error('the start was given up'));
  };
  return { answer: ask(), abandon };
}

/**
 * @param {string} serverUrl
 * @param {Ports} ports
 * @returns {Promise<string>} in the words of a PAC script
 */
function systemAnswer(serverUrl, { session }) {
  const { defaultSession } = /** @type {import('../../index').SessionModuleLike} */ (session);
  // Scripts and exceptions are written for http and https.
  return defaultSession.resolveProxy(serverUrl.replace(/^ws/, 'http'));
}

/**
 * @param {string} words
 * @param {Ports} ports
 */
function usable(words, { warn }) {
  const { proxy, problem } = proxyOf(words);
  if (problem !== undefined) warn(problem);
  return proxy;
}

/**
 * @param {unknown} error
 * @param {Ports} ports
 */
function unknown(error, { warn }) {
  const reason = withoutSecrets(String(Object(error).message));
  warn(`The system does not say which proxy to use, so the environment does: ${reason}.`);
  return undefined;
}

/**
 * @param {unknown} answer as `DIRECT` or `PROXY host:port; SOCKS5 host:port; DIRECT`: the first is
 *   meant, the others are for when it fails
 * @returns {{proxy: Proxy, problem?: string}} the first that the sidecar can use
 */
function proxyOf(answer) {
  const entries = String(answer)
    .split(';')
    .map((each) => each.trim())
    .filter(Boolean);
  /** @type {string[]} */
  const skipped = [];
  let proxy = null;
  for (const entry of entries) {
    const [kind, address] = entry.split(/\s+/);
    if (kind.toUpperCase() === 'DIRECT') break;
    if (kind.toUpperCase() === 'PROXY' && address) {
      proxy = `http://${address}`;
      break;
    }
    skipped.push(kind.toUpperCase());
  }
  if (skipped.length === 0) return { proxy };
  const instead = proxy === null ? 'no proxy' : withoutSecrets(proxy);
  const problem =
    `The system names a proxy of a kind that the sidecar cannot use (${skipped.join(', ')}); it ` +
    `uses ${instead}. Give \`proxy\` the address of an HTTP proxy if that does not reach the server.`;
  return { proxy, problem };
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {Proxy} proxy
 * @returns {NodeJS.ProcessEnv} a copy that knows this proxy and no exceptions from it
 */
function withProxy(env, proxy) {
  /** @type {NodeJS.ProcessEnv} */
  const changed = {};
  for (const [name, value] of Object.entries(env)) {
    if (!VARIABLES.test(name)) changed[name] = value;
  }
  return proxy === null ? changed : { ...changed, HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
}

/**
 * @param {import('../process/launch.cjs').Launch} launch
 * @param {Choice} choice
 * @returns {{answer: Promise<import('../process/launch.cjs').Launch>, abandon: () => void}}
 */
function throughProxy(launch, { answer, abandon }) {
  const complete = (/** @type {Proxy | undefined} */ proxy) =>
    proxy === undefined ? launch : { ...launch, env: withProxy(launch.env, proxy) };
  return { answer: answer.then(complete), abandon };
}

module.exports = { ANSWER_WITHIN_MS, PROXY_OPTION, chosenProxy, proxyOf, throughProxy, withProxy };
