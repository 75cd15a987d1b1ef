'use strict';

/**
 * Owns the names of the IPC channels between preload.cjs and renderer-ipc.cjs, and of what a page
 * can subscribe to. preload.cjs repeats them, since a sandboxed preload can require no file; a test
 * compares the two.
 */

/** One channel for each thing a page may ask: what is not listed here, no page can reach. */
const CHANNELS = Object.freeze({
  listSessions: 'clara-voice:list-sessions',
  getStatus: 'clara-voice:get-status',
  createConnection: 'clara-voice:create-connection',
  closeSession: 'clara-voice:close-session',
  subscribe: 'clara-voice:subscribe',
  unsubscribe: 'clara-voice:unsubscribe',
  online: 'clara-voice:online',
});

/** From main to the preload. */
const EVENTS = Object.freeze({
  published: 'clara-voice:published',
  /** The sidecar that the page subscribed to was disposed of. */
  ended: 'clara-voice:ended',
  /** Asks the main frame to say that it is one, where Electron does not say so. */
  mainFrameAsked: 'clara-voice:main-frame?',
  mainFrameAnswered: 'clara-voice:main-frame',
});

const TOPICS = Object.freeze({ sessions: 'sessions', agent: 'agent' });

module.exports = { CHANNELS, EVENTS, TOPICS };
