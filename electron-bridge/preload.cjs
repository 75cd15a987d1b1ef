'use strict';

/**
 * Owns window.clara: what a page sees of the voice sessions. `preload.d.ts` describes it.
 *
 * One file that requires `electron` alone, since a sandboxed preload can require nothing else. It
 * decides nothing: the main process checks every call (lib/pages/ipc.cjs).
 */

const { contextBridge, ipcRenderer } = require('electron');

// As in lib/pages/subscriptions.cjs; a test compares them.
const CHANNELS = Object.freeze({
  listSessions: 'clara-voice:list-sessions',
  getStatus: 'clara-voice:get-status',
  createConnection: 'clara-voice:create-connection',
  closeSession: 'clara-voice:close-session',
  subscribe: 'clara-voice:subscribe',
  unsubscribe: 'clara-voice:unsubscribe',
  online: 'clara-voice:online',
});
const EVENTS = Object.freeze({
  published: 'clara-voice:published',
  ended: 'clara-voice:ended',
  mainFrameAsked: 'clara-voice:main-frame?',
  mainFrameAnswered: 'clara-voice:main-frame',
});
const TOPICS = Object.freeze({ sessions: 'sessions', agent: 'agent' });

/** Milliseconds until a subscription is tried again while the app has made no sidecar. */
const RETRY_MS = 500;
/** In the preload's own world, which all preload scripts of a frame share. */
const MARK = Symbol.for('clara-voice-bridge');

/**
 * @typedef {import('./preload').Clara} Clara
 * @typedef {import('./preload').ClaraError} ClaraError
 * @typedef {import('./preload').AgentSession} AgentSession
 * @typedef {import('./preload').SessionsEvent} SessionsEvent
 * @typedef {import('./preload').SessionsChange} SessionsChange
 *
 * @typedef {object} Model what is known of a topic
 * @property {() => any} snapshot the event that tells all of it
 * @property {(change: any) => any} apply takes a change in, and gives the event that tells it
 */

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
 * @param {string} channel
 * @param {unknown} [argument]
 * @returns {Promise<any>}
 */
async function call(channel, argument) {
  let answer;
  try {
    answer = await ipcRenderer.invoke(channel, argument);
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
 * One topic for all callbacks of the page: one subscription in main, a snapshot for each callback,
 * then every change once. What comes before the snapshot waits for it; what it includes is dropped.
 */
class Feed {
  #topic;
  #modelOf;
  /** @type {Set<{callback: (event: any) => void, isTold: boolean}>} */
  #listeners = new Set();
  /** Counts the subscriptions: an answer to an earlier one is void. */
  #round = 0;
  #version = 0;
  /** @type {Model | null} null until the snapshot is there */
  #model = null;
  /** @type {{version: number, change: unknown}[]} */
  #early = [];

  /**
   * @param {string} topic
   * @param {(value: any) => Model} modelOf
   */
  constructor(topic, modelOf) {
    this.#topic = topic;
    this.#modelOf = modelOf;
  }

  /**
   * @param {string} name of the call, for its error
   * @param {(event: any) => void} callback
   * @returns {() => void}
   */
  add(name, callback) {
    if (typeof callback !== 'function') {
      throw new TypeError(`${name}: the callback must be a function.`);
    }
    const listener = { callback, isTold: false };
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#subscribe();
    // Later, so that the page has what add() returns before its callback is called.
    else Promise.resolve().then(() => this.#greet());
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#round += 1;
      this.#model = null;
      call(CHANNELS.unsubscribe, this.#topic).catch(() => {}); // there is no sidecar any more
    };
  }

  /**
   * @param {number} version
   * @param {unknown} change
   */
  take(version, change) {
    if (this.#model === null) {
      this.#early.push({ version, change });
      return;
    }
    if (version <= this.#version) return;
    this.#version = version;
    const event = this.#model.apply(change);
    for (const listener of [...this.#listeners]) {
      if (listener.isTold) this.#tell(listener, event);
    }
  }

  /** The sidecar is gone; there may be another. */
  restart() {
    if (this.#listeners.size > 0) this.#subscribe();
  }

  #subscribe = async () => {
    this.#round += 1;
    const round = this.#round;
    this.#model = null;
    this.#early = [];
    for (const listener of this.#listeners) listener.isTold = false;
    try {
      const { version, value } = await call(CHANNELS.subscribe, this.#topic);
      if (round !== this.#round) return;
      this.#version = version;
      this.#model = this.#modelOf(value);
      this.#greet();
      for (const each of this.#early.splice(0)) this.take(each.version, each.change);
    } catch (error) {
      if (round !== this.#round) return;
      const { code, message } = /** @type {ClaraError} */ (error);
      if (code !== 'NO_SIDECAR') console.error(`window.clara: ${message} (${code})`);
      else setTimeout(() => round === this.#round && this.#subscribe(), RETRY_MS);
    }
  };

  /** Gives the snapshot to whom nothing was told. */
  #greet = () => {
    for (const listener of [...this.#listeners]) {
      if (listener.isTold || this.#model === null) continue;
      listener.isTold = true;
      this.#tell(listener, this.#model.snapshot());
    }
  };

  /**
   * A callback's bug is the page's, and must not reach the other callbacks.
   *
   * @param {{callback: (event: any) => void}} listener
   * @param {unknown} event
   */
  #tell = (listener, event) => {
    if (!this.#listeners.has(/** @type {any} */ (listener))) return; // taken back meanwhile
    try {
      listener.callback(event);
    } catch (error) {
      console.error('window.clara: a callback of the page threw.', error);
    }
  };
}

/**
 * @param {{sessions: AgentSession[], seq: number}} first
 * @returns {Model}
 */
function sessionsModel(first) {
  const sessions = new Map(first.sessions.map((session) => [session.sessionId, session]));
  let { seq } = first;
  return {
    /** @returns {SessionsEvent} */
    snapshot: () => ({ type: 'snapshot', sessions: [...sessions.values()], seq }),
    /**
     * @param {SessionsChange} change
     * @returns {SessionsEvent}
     */
    apply(change) {
      const { type, session } = change;
      if (type === 'closed') sessions.delete(session.sessionId);
      else sessions.set(session.sessionId, session);
      seq = change.seq;
      return { ...change, sessions: [...sessions.values()] };
    },
  };
}

/**
 * @param {import('./preload').AgentStatus} first
 * @returns {Model}
 */
function agentModel(first) {
  let status = first;
  return {
    snapshot: () => status,
    apply(change) {
      status = change;
      return status;
    },
  };
}

function install() {
  /** @type {Record<string, Feed>} */
  const feeds = {
    [TOPICS.sessions]: new Feed(TOPICS.sessions, sessionsModel),
    [TOPICS.agent]: new Feed(TOPICS.agent, agentModel),
  };
  ipcRenderer.on(EVENTS.published, (_, topic, version, change) => {
    feeds[topic].take(version, change);
  });
  ipcRenderer.on(EVENTS.ended, () => {
    for (const feed of Object.values(feeds)) feed.restart();
  });
  ipcRenderer.on(EVENTS.mainFrameAsked, (_, nonce) => {
    ipcRenderer.send(EVENTS.mainFrameAnswered, nonce);
  });
  window.addEventListener('online', () => {
    call(CHANNELS.online).catch(() => {}); // whoever is not allowed to, or has no sidecar
  });

  /** @type {Clara} */
  const clara = {
    listSessions: () => call(CHANNELS.listSessions),
    onSessions: (callback) => feeds[TOPICS.sessions].add('onSessions', callback),
    getStatus: () => call(CHANNELS.getStatus),
    onAgentState: (callback) => feeds[TOPICS.agent].add('onAgentState', callback),
    createConnection: (options) => call(CHANNELS.createConnection, options),
    closeSession: (sessionId) => call(CHANNELS.closeSession, sessionId),
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
