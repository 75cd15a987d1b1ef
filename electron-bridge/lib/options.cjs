'use strict';

/**
 * Owns the check of what createSidecar() and request() are given, and the defaults. Every refusal is
 * a TypeError that names the option; none shows a string's value, since it may be a secret.
 */

const { PROXY_OPTION } = require('./answers.cjs');
const { attempt, isObject, present } = require('./errors.cjs');
const { LEVELS } = require('./logs.cjs');
const { isOrigin } = require('./pages/sender.cjs');
const { DEFAULT_POLICY } = require('./process/restarts.cjs');

/** Milliseconds from the spawn to the answer to `initialize`: a first run under an antivirus
 * program or Gatekeeper takes 10 to 60 times as long as later ones. */
const START_TIMEOUT_MS = 30 * 1000;
/** Milliseconds for any other answer. */
const REQUEST_TIMEOUT_MS = 30 * 1000;
/** The longest delay setTimeout knows (a longer one fires at once). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** The methods of a logger. */
const LOGGER = Object.freeze(['debug', 'info', 'warn', 'error']);
/** Requests that are the bridge's own, with the method to use instead.
 * @type {Readonly<Record<string, string>>} */
const OWN_REQUESTS = Object.freeze({ shutdown: 'stop()', initialize: 'start()' });

/**
 * @typedef {(value: any) => boolean} Check
 * @typedef {readonly [Check, string, string?]} Rule what a value must be, how that is said, and how
 *   the value is named unless by its name
 * @typedef {Readonly<Record<string, Rule>>} Rules
 */

/** @type {Check} */
const isString = (value) => typeof value === 'string';
/** @type {Check} */
const isText = (value) => isString(value) && value !== '';
/** @type {Check} */
const isFunction = (value) => typeof value === 'function';
/** @type {Check} */
const isSettings = (value) =>
  isObject(value) && Buffer.byteLength(String(attempt(() => JSON.stringify(value)))) <= 64 * 1024;
/** @type {Check} */
const isTimeoutMs = (value) => Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT_MS;
/** @type {Check} */
const isCount = (value) => value === 0 || isTimeoutMs(value);
/** @type {Check} */
const isProxy = (value) => isString(value) && PROXY_OPTION.test(value);
/** @type {Check} */
const isAddress = (value) => isString(value) && /^(wss?|https?):\/\/[^/]/.test(value);
/** @type {(isOne: Check) => Check} */
const optional = (isOne) => (value) => value === undefined || isOne(value);
/** @type {(isOne: Check) => Check} */
const orFalse = (isOne) => (value) => value === false || isOne(value);
/** @type {(isOne: Check) => Check} */
const arrayOf = (isOne) => (value) => Array.isArray(value) && value.every(isOne);
/** @type {Check} */
const isEnvironment = (value) => isObject(value) && Object.values(value).every(optional(isString));
/** @type {Check} */
const isDelays = (value) => arrayOf(isCount)(value) && value.length > 0;
/** @type {(names: readonly string[]) => Check} */
const methods = (names) => (value) => names.every((name) => isFunction(Object(value)[name]));
/** @type {Check} */
const isElectron = (value) => {
  const { app, ipcMain, powerMonitor, autoUpdater } = Object(value);
  return (
    methods(['getPath', 'on', 'removeListener', 'quit'])(app) &&
    optional(methods(['handle', 'removeHandler']))(ipcMain) &&
    [powerMonitor, autoUpdater].every(optional(methods(['on', 'removeListener'])))
  );
};

/** @type {Rule} */
const FLAG = [(value) => typeof value === 'boolean', 'true or false'];
/** @type {Rule} */
const TIMEOUT = [isTimeoutMs, `a whole number from 1 to ${MAX_TIMEOUT_MS}`];

/** @type {Rules} */
const OPTIONS = Object.freeze({
  command: [isText, 'a program: a path, or a name on PATH'],
  args: [arrayOf(isString), 'an array of strings'],
  cwd: [isText, 'the path of a folder'],
  env: [isEnvironment, 'an object of strings, as process.env'],
  connect: [isObject, 'an object, as { url, room, token }'],
  electron: [orFalse(isElectron), "an object with Electron's `app` at least, or false for none"],
  allowedOrigins: [arrayOf(isOrigin), 'an array of origins, as app://main, or file:// for files'],
  pages: [isObject, 'an object, as { createConnection: false }'],
  getToken: [isFunction, 'a function that gives { token }, or a promise of it'],
  proxy: [isProxy, "'system', 'none', or the address of an HTTP proxy, as http://proxy:3128"],
  voice: [isSettings, 'an object of at most 64 KiB of JSON, as { language: "en" }'],
  requireSingleInstanceLock: FLAG,
  logger: [methods(LOGGER), `an object with the methods ${LOGGER.join(', ')}`],
  logLevel: [(value) => LEVELS.includes(value), `one of ${LEVELS.join(', ')}`],
  startTimeoutMs: TIMEOUT,
  requestTimeoutMs: TIMEOUT,
  restart: [orFalse(isObject), 'false, or an object, as { max: 5 }'],
});

/**
 * What stands inside of an option that is an object.
 * @type {Readonly<Record<string, Rules>>}
 */
const MEMBERS = Object.freeze({
  connect: {
    url: [isAddress, "the LiveKit server's address (LIVEKIT_URL): wss:// or ws://, and a host"],
    room: [isText, 'the name of a room'],
    token: [isText, 'an access token'],
    apiKey: [isText, 'an API key'],
    apiSecret: [isText, 'an API secret'],
    identity: [isText, 'the identity under which the agent joins'],
    name: [isString, 'a string'],
    autoSubscribe: FLAG,
    join: [(value) => ['always', 'needed'].includes(value), "'always' or 'needed'"],
    leaveAfterMs: [isCount, 'a whole number of milliseconds'],
  },
  pages: {
    createConnection: [orFalse(isFunction), 'false, or a function (request) => request'],
    closeSession: [(value) => value === false, 'false'],
    sendText: [(value) => value === false, 'false'],
    ownPreload: FLAG,
  },
  restart: {
    max: [isCount, 'a whole number'],
    windowMs: TIMEOUT,
    delaysMs: [isDelays, 'an array of whole numbers, one at least'],
  },
});

/** @type {Rules} */
const REQUEST = Object.freeze({
  method: [isText, 'a name', 'the method'],
  params: [isObject, 'an object', 'the params'],
  timeoutMs: TIMEOUT,
  signal: [methods(['addEventListener', 'removeEventListener']), 'an AbortSignal'],
});

/**
 * @param {any} given
 * @param {() => import('../index').ElectronLike | undefined} [findElectron] is called where the option
 *   `electron` is not given
 * @returns {Omit<import('../index').SidecarOptions, 'electron'> & {
 *   electron?: import('../index').ElectronLike, startTimeoutMs: number, requestTimeoutMs: number,
 *   logger: import('../index').Logger, restart: import('../index').RestartPolicy | false}} a copy,
 *   complete with the defaults
 * @throws {TypeError}
 */
function checkedOptions(given, findElectron = () => undefined) {
  check('createSidecar', { given }, { given: [isObject, 'an object', 'the options'] }, ['given']);
  check('createSidecar', given, OPTIONS, ['connect']);
  for (const [name, rules] of Object.entries(MEMBERS)) {
    const required = name === 'connect' ? ['url', 'room'] : [];
    check('createSidecar', Object(given[name]), rules, required, `${name}.`);
  }
  const { command, args, getToken, proxy, requireSingleInstanceLock, restart, connect } = given;
  const electron = given.electron === undefined ? findElectron() : given.electron || undefined;
  const isHalf = (connect.apiKey === undefined) !== (connect.apiSecret === undefined);
  const contradictions = {
    '`args` are the arguments of `command`, which is missing. Give both or neither.':
      args !== undefined && command === undefined,
    '`connect` needs a `token`, or an `apiKey` together with its `apiSecret`, unless there is a `getToken`.':
      isHalf || !(connect.token || connect.apiKey || getToken),
    "the `proxy` 'system' needs Electron's `session` in `electron`.":
      proxy === 'system' && Object(electron).session === undefined,
    "`requireSingleInstanceLock` needs Electron's `app`.": requireSingleInstanceLock && !electron,
  };
  const found = Object.entries(contradictions).find(([, isOne]) => isOne);
  if (found !== undefined) throw new TypeError(`createSidecar: ${found[0]}`);
  return {
    logger: console,
    startTimeoutMs: START_TIMEOUT_MS,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ...present(given),
    electron,
    connect: present(connect),
    restart: restart === false ? false : { ...DEFAULT_POLICY, ...present(restart) },
  };
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
  check('request', { method, params, timeoutMs, signal }, REQUEST, ['method']);
  const instead = OWN_REQUESTS[String(method)];
  if (instead !== undefined) {
    throw new TypeError(`request: "${method}" is the bridge's own. Call ${instead} instead.`);
  }
}

/**
 * @param {string} caller
 * @param {Record<string, unknown>} values
 * @param {Rules} rules
 * @param {readonly string[]} required
 * @param {string} [prefix] of each name
 */
function check(caller, values, rules, required, prefix = '') {
  const names = Object.keys(rules);
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const all = `The options are ${names.map((name) => prefix + name).join(', ')}.`;
    throw new TypeError(`${caller}: there is no option \`${prefix}${unknown}\`. ${all}`);
  }
  for (const [name, [is, words, shown = `\`${prefix}${name}\``]] of Object.entries(rules)) {
    const value = values[name];
    if (is(value) || (value === undefined && !required.includes(name))) continue;
    throw new TypeError(`${caller}: ${shown} must be ${words}, got ${described(value)}.`);
  }
}

/**
 * Names the type of a value, and never shows the text of a string.
 * @param {unknown} value
 */
function described(value) {
  if (value === '') return 'an empty string';
  if (Array.isArray(value)) return 'an array';
  if (isObject(value)) return 'an object';
  return isString(value) || isFunction(value) ? `a ${typeof value}` : String(value);
}

module.exports = { checkRequest, checkedOptions };
