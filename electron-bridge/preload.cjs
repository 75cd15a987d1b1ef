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
 * @property {(kind: 'snapshot' | 'change' | 'end', event: any) => void} take
 */

/** @type {Set<Listener>} */
const listeners = new Set();

/**
 * @param {SessionsSnapshot} last
 * @param {SessionsChange} change
 * @returns {import('./preload').SessionsEvent}
 */
function changed(last, change) {
  const open = new Map(last.sessions.map((session) => [session.sessionId, session]));
  if (change.type === 'closed') open.delete(change.session.sessionId);
  else open.set(change.session.sessionId, change.session);
  return { ...change, sessions: [...open.values()] };
}

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
 * Calls back with the snapshot, then with every change once: main sends both on one channel, so they
 * arrive in order. A change before the snapshot is in it; a snapshot after it is for another callback.
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
  /** @type {any} the last event; undefined until the snapshot is there */
  let last;
  const subscribe = () =>
    call('subscribe', topic).catch(({ code, message }) => {
      if (code !== 'NO_SIDECAR') console.error(`window.clara: ${message} (${code})`);
      else setTimeout(() => listeners.has(listener) && subscribe(), RETRY_MS);
    });
  /** @type {Listener['take']} */
  const take = (kind, event) => {
    if (kind === 'end') {
      last = undefined;
      subscribe(); // there may be another sidecar
    }
    if (last === undefined ? kind !== 'snapshot' : kind !== 'change') return;
    last = kind === 'change' && topic === 'sessions' ? changed(last, event) : event;
    if (last === null) return; // these events have no snapshot
    try {
      callback(last);
    } catch (error) {
      console.error('window.clara: a callback of the page threw.', error);
    }
  };
  const listener = { topic, take };
  listeners.add(listener);
  subscribe();
  return () => {
    const wasLast = listeners.delete(listener) && !hearing(topic).length;
    if (wasLast) call('unsubscribe', topic).catch(() => {}); // there is no sidecar any more
  };
}

/** @param {string} topic */
function hearing(topic) {
  return [...listeners].filter((each) => each.topic === topic);
}

function install() {
  ipcRenderer.on(EVENT, (_, topic, kind, event) => {
    for (const each of hearing(topic)) if (listeners.has(each)) each.take(kind, event);
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
    onSessionEvent: (callback) => listen('events', 'onSessionEvent', callback),
    onHealth: (callback) => listen('health', 'onHealth', callback),
    getConversation: (params) => call('getConversation', params),
    listClosedSessions: (params) => call('listClosedSessions', params),
    sendText: (params) => call('sendText', params),
    createConnection: (options) => call('createConnection', options),
    closeSession: (sessionId) => call('closeSession', sessionId),
  };
  contextBridge.exposeInMainWorld('clara', clara);
}

/** @type {any} */
const world = globalThis;
if (process.contextIsolated === false) {
  const why = 'without it any script of the page could reach the main process';
  throw new Error(`preload.cjs needs webPreferences.contextIsolation to be true: ${why}.`);
}
// A window whose session has it and whose webPreferences.preload names it, too, runs it twice.
if (!world[MARK]) {
  install();
  world[MARK] = true;
}
