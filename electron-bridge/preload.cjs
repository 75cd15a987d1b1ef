'use strict';

/**
 * Owns window.clara: the page's view of the voice sessions. `preload.d.ts` describes it.
 *
 * One file that requires only `electron`, since a sandboxed preload can require nothing else. It
 * decides nothing: the main process checks every call (lib/pages/ipc.cjs).
 */

const { contextBridge, ipcRenderer, webFrame } = require('electron');

// As in lib/pages.
const CALL = 'clara-voice:call';
const EVENT = 'clara-voice:event';
const MAIN_FRAME_ASKED = 'clara-voice:main-frame?';

/** Milliseconds until a subscription is tried again while the app has made no sidecar. */
const RETRY_MS = 500;
/** What window.clara is made of in the page's world, and a mark in the preload scripts' shared world. */
const NAME = 'clara-voice-bridge';

/**
 * Runs in the page's world, before the page's scripts. contextBridge copies each argument of a
 * callback, so only the change comes through it, and the list is kept on this side: with the list in
 * each of them, a burst of changes would cost the square of its length. A text, because a bundler may
 * put calls of its own functions into a function.
 */
const IN_THE_PAGE = `((bridge) => {
  const onSessions = (callback) => {
    const open = new Map();
    const take = ({ sessions, ...event }) => {
      if (sessions) open.clear();
      for (const each of sessions || [event.session]) open.set(each.sessionId, each);
      if (event.type === 'closed') open.delete(event.session.sessionId);
      callback({ ...event, sessions: [...open.values()] });
    };
    return bridge.onSessions(typeof callback === 'function' && take);
  };
  Object.defineProperty(window, 'clara', { value: Object.freeze({ ...bridge, onSessions }) });
})(window['${NAME}'])`;

/**
 * @typedef {import('./preload').ClaraError} ClaraError
 * @typedef {(kind: 'snapshot' | 'change' | 'end', event: any) => void} Take
 */

/** @type {Map<Take, string>} for each callback of the page what takes its events, and their topic */
const listeners = new Map();

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
  let hasSnapshot = false;
  const subscribe = () =>
    call('subscribe', topic).catch(({ code, message }) => {
      if (code !== 'NO_SIDECAR') console.error(`window.clara: ${message} (${code})`);
      else setTimeout(() => listeners.has(take) && subscribe(), RETRY_MS);
    });
  /** @type {Take} */
  const take = (kind, event) => {
    if (kind === 'end') subscribe(); // there may be another sidecar
    if (kind === (hasSnapshot ? 'snapshot' : 'change')) return;
    hasSnapshot = kind !== 'end';
    if (!event) return; // an end, or a snapshot of events that have none
    try {
      callback(event);
    } catch (error) {
      console.error('window.clara: a callback of the page threw.', error);
    }
  };
  listeners.set(take, topic);
  subscribe();
  return () => {
    const wasLast = listeners.delete(take) && ![...listeners.values()].includes(topic);
    if (wasLast) call('unsubscribe', topic).catch(() => {}); // there is no sidecar any more
  };
}

/** @type {any} */
const world = globalThis;
if (process.contextIsolated === false) {
  const why = 'without it any script of the page could reach the main process';
  throw new Error(`preload.cjs needs webPreferences.contextIsolation to be true: ${why}.`);
}
// A window whose session has it and whose webPreferences.preload names it, too, runs it twice.
if (!world[Symbol.for(NAME)]) {
  ipcRenderer.on(EVENT, (_, topic, kind, event) => {
    for (const [take, its] of [...listeners]) {
      if (its === topic && listeners.has(take)) take(kind, event);
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
    onSessionEvent: (callback) => listen('events', 'onSessionEvent', callback),
    onHealth: (callback) => listen('health', 'onHealth', callback),
    getConversation: (params) => call('getConversation', params),
    listClosedSessions: (params) => call('listClosedSessions', params),
    sendText: (params) => call('sendText', params),
    createConnection: (options) => call('createConnection', options),
    closeSession: (sessionId) => call('closeSession', sessionId),
  };
  contextBridge.exposeInMainWorld(NAME, clara);
  webFrame.executeJavaScript(IN_THE_PAGE);
  world[Symbol.for(NAME)] = true;
}
