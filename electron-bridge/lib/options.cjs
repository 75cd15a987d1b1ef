'use strict';

/**
 * Owns the check of what createSidecar() and request() are given, and the defaults. Every refusal is
 * a TypeError that names the option; none shows a string's value, since it may be a secret.
 */

const { PROXY_OPTION } = require('./answers.cjs');
const { isOrigin } = require('./pages/sender.cjs');
const { DEFAULT_POLICY } = require('./process/restarts.cjs');
const { METHODS } = require('./protocol.cjs');

/** Milliseconds from the spawn to the answer to `initialize`: a first run under an antivirus
 * program or Gatekeeper takes 10 to 60 times as long as later ones. */
const START_TIMEOUT_MS = 30 * 1000;
/** Milliseconds for any other answer. */
const REQUEST_TIMEOUT_MS = 30 * 1000;
/** The longest delay setTimeout knows (a longer one fires at once). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Of the sidecar (`--log-level`). */
const LOG_LEVELS = Object.freeze(['debug', 'info', 'warning', 'error', 'critical']);
/** Requests that are the bridge's own, with the method to use instead. */
/** @type {Readonly<Record<string, string>>} */
const OWN_REQUESTS = Object.freeze({
  [METHODS.shutdown]: 'stop()',
  [METHODS.initialize]: 'start()',
});

/** @typedef {(value: any) => boolean} Check */

/** @type {Check} */
const isText = (value) => typeof value === 'string' && value !== '';
/** @type {Check} */
const isFlag = (value) => typeof value === 'boolean';
/** @type {Check} */
const isFunction = (value) => typeof value === 'function';
/** @type {Check} */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** @type {(isOne: Check) => Check} */
const arrayOf = (isOne) => (value) => Array.isArray(value) && value.every(isOne);
/** @type {Check} */
const isTimeoutMs = (value) => Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT_MS;
/** @type {Check} */
const isCount = (value) => value === 0 || isTimeoutMs(value);
/** @type {(...names: string[]) => Check} */
const hasMethods =
  (...names) =>
  (value) =>
    value !== null && value !== undefined && names.every((name) => isFunction(value[name]));
/** An object with no other members than these, each of them optional.
 * @type {(members: Record<string, Check>) => Check} */
const partOf = (members) => (value) =>
  isObject(value) &&
  Object.keys(value).every(
    (name) =>
      Object.prototype.hasOwnProperty.call(members, name) &&
      (value[name] === undefined || members[name](value[name])),
  );
/** @type {(...checks: Check[]) => Check} */
const either =
  (...checks) =>
  (value) =>
    checks.some((is) => is(value));
/** @type {Check} */
const isFalse = (value) => value === false;

const isEmitter = hasMethods('on', 'removeListener');
/** @type {Check} */
const isElectron = (value) => {
  const { app, ipcMain, powerMonitor, autoUpdater } = Object(value);
  return (
    hasMethods('getPath', 'on', 'removeListener', 'quit')(app) &&
    isFlag(app.isPackaged) &&
    (ipcMain === undefined ||
      (hasMethods('handle', 'removeHandler', 'on', 'removeListener')(ipcMain) &&
        hasMethods('getAppPath')(app))) &&
    [powerMonitor, autoUpdater].every((each) => each === undefined || isEmitter(each))
  );
};

const TIMEOUT_WORDS = `a whole number from 1 to ${MAX_TIMEOUT_MS}`;

/**
 * What each option must be, and how that is said.
 * @type {Readonly<Record<string, readonly [Check, string]>>}
 */
const OPTIONS = Object.freeze({
  command: [isText, 'a program: a path, or a name on PATH'],
  args: [arrayOf((each) => typeof each === 'string'), 'an array of strings'],
  cwd: [isText, 'the path of a folder'],
  env: [
    (value) =>
      isObject(value) &&
      Object.values(value).every((each) => each === undefined || typeof each === 'string'),
    'an object of strings, as process.env',
  ],
  connect: [
    isObject,
    'an object { url, room } with a token, or apiKey and apiSecret, or beside a getToken',
  ],
  electron: [
    either(isFalse, isElectron),
    "an object of Electron's own, { app, ipcMain, powerMonitor, session, autoUpdater }, app at " +
      'least, or false for none',
  ],
  allowedOrigins: [
    arrayOf(isOrigin),
    'an array of origins, as app://main, http://localhost:5173, or file:// for app files',
  ],
  pages: [
    partOf({
      createConnection: either(isFalse, isFunction),
      closeSession: isFalse,
      ownPreload: isFlag,
    }),
    'any of { createConnection: false or a function (request) => request, closeSession: false, ' +
      'ownPreload: true or false }',
  ],
  getToken: [isFunction, 'a function that gives { token }, or a promise of it'],
  proxy: [
    (value) => typeof value === 'string' && PROXY_OPTION.test(value),
    "'system', 'none', or the address of an HTTP proxy, as http://proxy:3128",
  ],
  requireSingleInstanceLock: [isFlag, 'true or false'],
  logger: [
    hasMethods('debug', 'info', 'warn', 'error'),
    'an object with the methods debug, info, warn and error',
  ],
  logLevel: [(value) => LOG_LEVELS.includes(value), `one of ${LOG_LEVELS.join(', ')}`],
  startTimeoutMs: [isTimeoutMs, TIMEOUT_WORDS],
  requestTimeoutMs: [isTimeoutMs, TIMEOUT_WORDS],
  restart: [
    either(
      isFalse,
      partOf({
        max: isCount,
        windowMs: isTimeoutMs,
        delaysMs: (value) => arrayOf(isCount)(value) && value.length > 0,
      }),
    ),
    'false, or any of { max, windowMs, delaysMs }: two whole numbers and an array of them',
  ],
});

/** @type {Readonly<Record<string, readonly [Check, string]>>} */
const CONNECT = Object.freeze({
  url: [
    (value) => /^(wss?|https?):\/\/[^/]/.test(String(value)),
    "the LiveKit server's address, as wss://example.livekit.cloud",
  ],
  room: [isText, 'the name of a room'],
  token: [isText, 'an access token'],
  apiKey: [isText, 'an API key'],
  apiSecret: [isText, 'an API secret'],
  identity: [isText, 'the identity under which the agent joins'],
  name: [(value) => typeof value === 'string', 'a string'],
  autoSubscribe: [isFlag, 'true or false'],
});

/**
 * @param {unknown} given
 * @param {() => import('../index').ElectronLike | undefined} [findElectron] is called where the option
 *   `electron` is not given
 * @returns {Omit<import('../index').SidecarOptions, 'electron'> & {
 *   electron?: import('../index').ElectronLike, startTimeoutMs: number, requestTimeoutMs: number,
 *   logger: import('../index').Logger, restart: import('../index').RestartPolicy | false}} a copy,
 *   complete with the defaults
 * @throws {TypeError}
 */
function checkedOptions(given, findElectron = () => undefined) {
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
  const electron = options.electron === undefined ? findElectron() : options.electron || undefined;
  const { session, app } = Object(electron);
  if (options.proxy === 'system' && session === undefined) {
    throw new TypeError(
      "createSidecar: the `proxy` 'system' needs Electron's `session` in `electron`.",
    );
  }
  if (options.requireSingleInstanceLock && !app) {
    throw new TypeError("createSidecar: `requireSingleInstanceLock` needs Electron's `app`.");
  }
  return {
    logger: console,
    startTimeoutMs: START_TIMEOUT_MS,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ...present(options),
    electron,
    connect: present(options.connect),
    restart: options.restart === false ? false : { ...DEFAULT_POLICY, ...present(options.restart) },
  };
}

/**
 * @param {Record<string, any> | undefined} values
 * @returns {any} a copy without the members that are undefined
 */
function present(values) {
  return Object.fromEntries(
    Object.entries(Object(values)).filter(([, value]) => value !== undefined),
  );
}

/**
 * Checks what request() is given.
 *
 * @param {unknown} method
 * @param {unknown} params
 * @param {{timeoutMs?: unknown, signal?: unknown}} options
 * @throws {TypeError}
 */
function checkRequest(method, params, { timeoutMs, signal }) {
  /** @type {ReadonlyArray<[string, boolean, string, unknown]>} */
  const checks = [
    ['the method', isText(method), 'a name', method],
    ['the params', params === undefined || isObject(params), 'an object', params],
    ['`timeoutMs`', timeoutMs === undefined || isTimeoutMs(timeoutMs), TIMEOUT_WORDS, timeoutMs],
    [
      '`signal`',
      signal === undefined || hasMethods('addEventListener', 'removeEventListener')(signal),
      'an AbortSignal',
      signal,
    ],
  ];
  for (const [what, isGood, words, value] of checks) {
    if (!isGood) throw new TypeError(`request: ${what} must be ${words}, got ${described(value)}.`);
  }
  const instead = OWN_REQUESTS[String(method)];
  if (instead !== undefined) {
    throw new TypeError(`request: "${method}" is the bridge's own. Call ${instead} instead.`);
  }
}

/**
 * @param {string} prefix
 * @param {Record<string, unknown>} values
 * @param {Readonly<Record<string, readonly [Check, string]>>} rules
 * @param {readonly string[]} required
 */
function check(prefix, values, rules, required) {
  for (const name of Object.keys(values)) {
    if (Object.prototype.hasOwnProperty.call(rules, name)) continue;
    const names = Object.keys(rules).map((each) => prefix + each);
    throw new TypeError(
      `createSidecar: there is no option \`${prefix}${name}\`. The options are ${names.join(', ')}.`,
    );
  }
  for (const [name, [is, words]] of Object.entries(rules)) {
    const value = values[name];
    if (value === undefined && !required.includes(name)) continue;
    if (!is(value)) throw refusal(`\`${prefix}${name}\``, words, value);
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
 * Says what a value is, and never what a string says.
 * @param {unknown} value
 */
function described(value) {
  if (value === '') return 'an empty string';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return ['string', 'function', 'symbol', 'bigint'].includes(typeof value)
    ? `a ${typeof value}`
    : String(value);
}

module.exports = { checkRequest, checkedOptions };
