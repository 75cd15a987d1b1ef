'use strict';

/**
 * Owns window.clara: the page's view of the voice sessions. `preload.d.ts` describes it.
 *
 * One file that requires only `electron`, since a sandboxed preload can require nothing else. It
 * decides nothing: the main process checks every call (lib/pages/ipc.cjs).
 */

const { contextBridge, ipcRenderer } = require('electron');

// As in lib/pages.
const CALL = 'clara-voice:call';
const EVENT = 'clara-voice:event';
const MAIN_FRAME_ASKED = 'clara-voice:main-frame?';

/** Milliseconds until a subscription is tried again while the app has made no sidecar. */
const RETRY_MS = 500;
/** In the preload's own world, which all preload scripts of a frame share. */
const MARK = Symbol.for('clara-voice-bridge');

/**
 * @typedef {import('./preload').ClaraError} ClaraError
 * @typedef {import('./preload').SessionsChange} SessionsChange
 * @typedef {import('./preload').SessionsSnapshot} SessionsSnapshot
 *
 * @typedef {object} Listener a callback of the page
 * @property {string} topic
 * @property {() => void} subscribe asks for the snapshot
 * @property {(version: number, change: any) => void} take
 */

/**
 * For each topic, the event with its snapshot and the event with the next change.
 * @type {Readonly<Record<string, {first(value: any): any, next(last: any, change: any): any}>>}
 */
const EVENTS = Object.freeze({
  sessions: {
    first: (/** @type {SessionsSnapshot} */ value) => ({ type: 'snapshot', ...value }),
    next: (/** @type {SessionsSnapshot} */ last, /** @type {SessionsChange} */ change) => {
      const open = new Map(last.sessions.map((session) => [session.sessionId, session]));
      if (change.type === 'closed') open.delete(change.session.sessionId);
      else open.set(change.session.sessionId, change.session);
      return { ...change, sessions: [...open.values()] };
    },
  },
  agent: { first: (status) => status, next: (_, status) => status },
});

/** @type {Set<Listener>} */
const listeners = new Set();

/**
 * A failure of the bridge's own, as a plain object: contextBridge takes the members of an Error.
 *
 * @param {ClaraError['code']} code
 * @param {string} message
 * @returns {ClaraError}
 */
function failure(code, message) {
  return Object.freeze({ name: 'ClaraError', code, message });
}

/**
 * @param {string} name
 * @param {unknown} [argument]
 * @returns {Promise<any>}
 */
async function call(name, argument) {
  let answer;
  try {
    answer = await ipcRenderer.invoke(CALL, [name, argument]);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    if (!/No handler registered/.test(message)) throw failure('INVALID_ARGUMENT', message);
    throw failure('NO_SIDECAR', 'The main process has no sidecar: createSidecar() was not called.');
  }
  if (answer.ok) return answer.value;
  const { data, ...error } = answer.error;
  throw Object.freeze({ ...error, ...(data && { data: Object.freeze(data) }) });
}

/**
 * Calls back with the snapshot, then with every change once. What comes before the snapshot waits for
 * it; what it includes is dropped.
 *
 * @param {string} topic
 * @param {string} name of the call, for its error
 * @param {(event: any) => void} callback
 * @returns {() => void} ends that
 */
function listen(topic, name, callback) {
  if (typeof callback !== 'function') {
    throw new TypeError(`${name}: the callback must be a function.`);
  }
  const { first, next } = EVENTS[topic];
  /** Counts the subscriptions: an answer to an earlier one is void. */
  let round = 0;
  let version = 0;
  /** @type {any} the last event; undefined until the snapshot is there */
  let last;
  /** @type {[number, unknown][]} */
  let early = [];

  const tell = (/** @type {any} */ event) => {
    last = event;
    try {
      callback(event);
    } catch (error) {
      console.error('window.clara: a callback of the page threw.', error);
    }
  };
  const take = (/** @type {number} */ now, /** @type {unknown} */ change) => {
    if (!listeners.has(listener)) return; // taken back meanwhile
    if (last === undefined) early.push([now, change]);
    else if (now > version) {
      version = now;
      tell(next(last, change));
    }
  };
  const subscribe = async () => {
    round += 1;
    const mine = round;
    last = undefined;
    early = [];
    try {
      const answer = await call('subscribe', topic);
      if (mine !== round) return;
      ({ version } = answer);
      tell(first(answer.value));
      for (const [now, change] of early.splice(0)) take(now, change);
    } catch (error) {
      if (mine !== round) return;
      const { code, message } = /** @type {ClaraError} */ (error);
      if (code !== 'NO_SIDECAR') console.error(`window.clara: ${message} (${code})`);
      else setTimeout(() => mine === round && subscribe(), RETRY_MS);
    }
  };
  const listener = { topic, subscribe, take };
  listeners.add(listener);
  subscribe();
  return () => {
    round += 1;
    const isLast =
      listeners.delete(listener) && ![...listeners].some((each) => each.topic === topic);
    if (isLast) call('unsubscribe', topic).catch(() => {}); // there is no sidecar any more
  };
}

function install() {
  ipcRenderer.on(EVENT, (_, topic, version, change) => {
    for (const each of [...listeners].filter((listener) => listener.topic === topic)) {
      // Without a version the sidecar is gone; there may be another.
      if (version === null) each.subscribe();
      else each.take(version, change);
    }
  });
  ipcRenderer.on(MAIN_FRAME_ASKED, (_, channel) => ipcRenderer.send(channel));
  window.addEventListener('online', () => {
    call('online').catch(() => {}); // the page is not allowed to, or there is no sidecar
  });

  /** @type {import('./preload').Clara} */
  const clara = {
    listSessions: () => call('listSessions'),
    onSessions: (callback) => listen('sessions', 'onSessions', callback),
    getStatus: () => call('getStatus'),
    onAgentState: (callback) => listen('agent', 'onAgentState', callback),
    createConnection: (options) => call('createConnection', options),
    closeSession: (sessionId) => call('closeSession', sessionId),
  };
  contextBridge.exposeInMainWorld('clara', clara);
}

/** @type {any} */
const world = globalThis;
if (process.contextIsolated === false) {
  throw new Error(
    'clara-voice-bridge: preload.cjs needs webPreferences.contextIsolation to be true: without it ' +
      'any script of the page could reach the main process.',
  );
}
// A window whose session has it and whose webPreferences.preload names it, too, runs it twice.
if (!world[MARK]) {
  install();
  world[MARK] = true;
}
