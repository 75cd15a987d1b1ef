'use strict';

/**
 * Owns the check of what createSidecar() is given. Every refusal is a TypeError that names the
 * option; none shows a string's value, since it may be a secret.
 */

const { URL_OPTION } = require('./electron/proxy.cjs');
const { isOrigin } = require('./pages/sender.cjs');
const { DEFAULT_POLICY } = require('./process/restarts.cjs');

/** Milliseconds from the spawn to the answer to `initialize`: a first run under an antivirus
 * program or Gatekeeper takes 10 to 60 times as long as later ones. */
const START_TIMEOUT_MS = 30 * 1000;
/** Milliseconds for any other answer. */
const REQUEST_TIMEOUT_MS = 30 * 1000;
/** The longest delay setTimeout knows (a longer one fires at once). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const isString = (/** @type {unknown} */ value) => typeof value === 'string';
const isText = (/** @type {unknown} */ value) => typeof value === 'string' && value !== '';
const isObject = (/** @type {unknown} */ value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (/** @type {unknown} */ value) => Array.isArray(value) && value.every(isString);
const isEnvironment = (/** @type {unknown} */ value) =>
  isObject(value) &&
  Object.values(Object(value)).every((each) => each === undefined || isString(each));
const isTimeoutMs = (/** @type {unknown} */ value) =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_TIMEOUT_MS;
const isDelayMs = (/** @type {unknown} */ value) => value === 0 || isTimeoutMs(value);
const isRestart = (/** @type {unknown} */ value) =>
  value === false || (isObject(value) && isPolicy(Object(value)));
const isPolicy = (/** @type {Record<string, unknown>} */ { max, windowMs, delaysMs, ...others }) =>
  Object.keys(others).length === 0 &&
  isDelayMs(max) &&
  isTimeoutMs(windowMs) &&
  Array.isArray(delaysMs) &&
  delaysMs.length > 0 &&
  delaysMs.every(isDelayMs);
const isServerUrl = (/** @type {unknown} */ value) =>
  typeof value === 'string' && /^(wss?|https?):\/\/[^/]/.test(value);
const isLogger = (/** @type {unknown} */ value) => hasMethods(value, LOGGER_METHODS);
const isFunction = (/** @type {unknown} */ value) => typeof value === 'function';
const isFlag = (/** @type {unknown} */ value) => typeof value === 'boolean';
const isProxy = (/** @type {unknown} */ value) =>
  typeof value === 'string' && (value === 'system' || value === 'none' || URL_OPTION.test(value));
const isElectron = (/** @type {unknown} */ value) =>
  isObject(value) &&
  hasMethods(Object(value).app, APP_METHODS) &&
  typeof Object(value).app.isPackaged === 'boolean' &&
  (Object(value).ipcMain === undefined ||
    (hasMethods(Object(value).ipcMain, IPC_MAIN_METHODS) &&
      hasMethods(Object(value).app, ['getAppPath']))) &&
  ['powerMonitor', 'autoUpdater'].every(
    (name) => Object(value)[name] === undefined || hasMethods(Object(value)[name], EMITTER_METHODS),
  );
const isOrigins = (/** @type {unknown} */ value) => Array.isArray(value) && value.every(isOrigin);

const LOGGER_METHODS = ['debug', 'info', 'warn', 'error'];
const EMITTER_METHODS = ['on', 'removeListener'];
const APP_METHODS = ['getPath', 'on', 'removeListener', 'quit'];
const IPC_MAIN_METHODS = ['handle', 'removeHandler', 'on', 'removeListener'];

/**
 * @typedef {{is: (value: unknown) => boolean, words: string}} Rule
 * @type {Readonly<Record<string, Rule>>}
 */
const OPTIONS = Object.freeze({
  command: { is: isText, words: 'a program: a path, or a name on PATH' },
  args: { is: isStrings, words: 'an array of strings' },
  cwd: { is: isText, words: 'the path of a folder' },
  env: { is: isEnvironment, words: 'an object of strings, as process.env' },
  connect: {
    is: isObject,
    words: 'an object { url, room } with a token, or apiKey and apiSecret, or beside a getToken',
  },
  electron: {
    is: isElectron,
    words:
      "an object of Electron's own, { app, ipcMain, powerMonitor, session, autoUpdater }, app at " +
      'least',
  },
  allowedOrigins: {
    is: isOrigins,
    words: 'an array of origins, as app://main, http://localhost:5173, or file:// for app files',
  },
  getToken: { is: isFunction, words: 'a function that gives { token }, or a promise of it' },
  proxy: {
    is: isProxy,
    words: "'system', 'none', or the address of an HTTP proxy, as http://proxy:3128",
  },
  requireSingleInstanceLock: { is: isFlag, words: 'true or false' },
  logger: { is: isLogger, words: 'an object with the methods debug, info, warn and error' },
  startTimeoutMs: { is: isTimeoutMs, words: `a whole number from 1 to ${MAX_TIMEOUT_MS}` },
  requestTimeoutMs: { is: isTimeoutMs, words: `a whole number from 1 to ${MAX_TIMEOUT_MS}` },
  restart: {
    is: isRestart,
    words: 'false, or { max, windowMs, delaysMs }: two whole numbers and an array of them',
  },
});

/** @type {Readonly<Record<string, Rule>>} */
const CONNECT = Object.freeze({
  url: { is: isServerUrl, words: "the LiveKit server's address, as wss://example.livekit.cloud" },
  room: { is: isText, words: 'the name of a room' },
  token: { is: isText, words: 'an access token' },
  apiKey: { is: isText, words: 'an API key' },
  apiSecret: { is: isText, words: 'an API secret' },
  identity: { is: isText, words: 'the identity under which the agent joins' },
  name: { is: isString, words: 'a string' },
});

/**
 * @param {unknown} given
 * @returns {import('../index').SidecarOptions & {startTimeoutMs: number, requestTimeoutMs: number,
 *   logger: import('../index').Logger, restart: import('../index').RestartPolicy | false}} a copy, complete with the defaults
 * @throws {TypeError}
 */
function checkedOptions(given) {
  if (!isObject(given)) throw refusal('the options', 'an object', given);
  const options = Object(given);
  check('', options, OPTIONS, ['connect']);
  check('connect.', options.connect, CONNECT, ['url', 'room']);
  if (options.args !== undefined && options.command === undefined) {
    throw new TypeError(
      'createSidecar: `args` are the arguments of `command`, which is missing. Give both or neither.',
    );
  }
  const { token, apiKey, apiSecret } = options.connect;
  const isHalf = (apiKey === undefined) !== (apiSecret === undefined);
  if (isHalf || (!token && !apiKey && !options.getToken)) {
    throw new TypeError(
      'createSidecar: `connect` needs a `token`, or an `apiKey` together with its `apiSecret`, ' +
        'unless there is a `getToken`.',
    );
  }
  const { session, app } = Object(options.electron);
  if (options.proxy === 'system' && session === undefined) {
    throw new TypeError(
      "createSidecar: the `proxy` 'system' needs Electron's `session` in `electron`.",
    );
  }
  if (options.requireSingleInstanceLock && !app) {
    throw new TypeError("createSidecar: `requireSingleInstanceLock` needs Electron's `app`.");
  }
  return {
    ...options,
    connect: { ...options.connect },
    logger: options.logger || console,
    startTimeoutMs: options.startTimeoutMs || START_TIMEOUT_MS,
    requestTimeoutMs: options.requestTimeoutMs || REQUEST_TIMEOUT_MS,
    restart: options.restart === undefined ? DEFAULT_POLICY : options.restart,
  };
}

/**
 * Checks what request() is given besides what options.timeoutMs and signal mean to the client.
 *
 * @param {unknown} method
 * @param {unknown} params
 * @param {{timeoutMs?: unknown, signal?: unknown}} options
 * @throws {TypeError}
 */
function checkRequest(method, params, { timeoutMs, signal }) {
  const check = (
    /** @type {string} */ what,
    /** @type {boolean} */ isGood,
    /** @type {string} */
    words,
    /** @type {unknown} */ value,
  ) => {
    if (!isGood) throw new TypeError(`request: ${what} must be ${words}, got ${described(value)}.`);
  };
  check('the method', isText(method), 'a name', method);
  check('the params', params === undefined || isObject(params), 'an object', params);
  check(
    '`timeoutMs`',
    timeoutMs === undefined || isTimeoutMs(timeoutMs),
    OPTIONS.requestTimeoutMs.words,
    timeoutMs,
  );
  check(
    '`signal`',
    signal === undefined || hasMethods(signal, ['addEventListener', 'removeEventListener']),
    'an AbortSignal',
    signal,
  );
}

/**
 * @param {string} prefix
 * @param {Record<string, unknown>} values
 * @param {Readonly<Record<string, Rule>>} rules
 * @param {readonly string[]} required
 */
function check(prefix, values, rules, required) {
  for (const name of Object.keys(values)) {
    if (Object.prototype.hasOwnProperty.call(rules, name)) continue;
    throw new TypeError(
      `createSidecar: there is no option \`${prefix}${name}\`. The options are ` +
        `${Object.keys(rules)
          .map((each) => prefix + each)
          .join(', ')}.`,
    );
  }
  for (const [name, { is, words }] of Object.entries(rules)) {
    const value = values[name];
    const isMissing = value === undefined && required.includes(name);
    if (isMissing || (value !== undefined && !is(value))) {
      throw refusal(`\`${prefix}${name}\``, words, value);
    }
  }
}

/**
 * @param {string} what
 * @param {string} words
 * @param {unknown} value
 */
function refusal(what, words, value) {
  return new TypeError(`createSidecar: ${what} must be ${words}, got ${described(value)}.`);
}

/**
 * What a value is, never what a string says.
 * @param {unknown} value
 */
function described(value) {
  if (value === '') return 'an empty string';
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/**
 * @param {unknown} value
 * @param {readonly string[]} names
 */
function hasMethods(value, names) {
  return (
    value !== null &&
    value !== undefined &&
    names.every((name) => typeof Object(value)[name] === 'function')
  );
}

module.exports = { checkRequest, checkedOptions };
