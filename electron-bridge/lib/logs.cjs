'use strict';

/**
 * Owns what becomes of the sidecar's stderr: each line is one call of the app's logger and one
 * `log` event, and the last lines are kept for errors. The bridge's own words go the same way.
 * Knows no process and no protocol.
 */

const { attempt, guarded } = require('./errors.cjs');

/**
 * @typedef {import('../index').Logger} Logger
 * @typedef {import('../index').LogEntry} LogEntry
 */

/** Lines kept for errors, and how much of each: 100 KB at most. */
const TAIL_LINES = 50;
const TAIL_CHARACTERS = 2000;

/** The name under which the bridge itself speaks in `log` events. */
const BRIDGE = 'clara-voice-bridge';
/** The name of lines that are not the sidecar's logging: a crash report, a library's print. */
const STDERR = 'stderr';

/** The sidecar's levels, which are Python's. */
const LEVELS = Object.freeze(['debug', 'info', 'warning', 'error', 'critical']);
/**
 * The logger's method for each level that has no method of its own name: it knows no critical.
 * @type {Readonly<Record<string, keyof Logger>>}
 */
const METHODS = { warning: 'warn', critical: 'error' };

// Line ends of any kind, terminal escapes, and what turns the reading direction: a name that holds
// one could otherwise forge a log line or drive the terminal. The same as in sidecar/logs.py, which
// escapes its own messages; this is for the lines that did not come through it.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const now = () => new Date().toISOString();

/**
 * @typedef {ReturnType<typeof logLines>} LogLines
 *
 * @param {Logger} logger
 * @param {(entry: LogEntry) => void} onEntry must not throw
 */
function logLines(logger, onEntry) {
  /** @type {string[]} */
  let tail = [];

  /**
   * Logs a message without an event `log`: what concerns a listener of `log` must not come back to
   * it.
   * @param {LogEntry['level']} level
   * @param {string} message
   */
  const tellLogger = (level, message) => {
    // A logger that throws must not stop the lines behind this one.
    const method = METHODS[level] || /** @type {keyof Logger} */ (level);
    guarded(() => logger[method](message));
  };
  /** @param {LogEntry} entry */
  const pass = (entry) => {
    // In one turn: no line of the app comes between a message and its cause.
    for (const text of texts(entry)) tellLogger(entry.level, text);
    onEntry(entry);
  };
  return {
    tellLogger,

    /**
     * Takes one line of the sidecar's stderr: `{"time", "level", "logger", "message", "cause"?}`, or
     * anything else that some library wrote there, which counts as info.
     *
     * @param {string} line
     */
    handleLine(line) {
      const entry = parsed(line);
      const cut = texts(entry).map((text) => text.slice(0, TAIL_CHARACTERS));
      tail = [...tail, ...cut].slice(-TAIL_LINES);
      pass(entry);
    },

    /**
     * Says something in the bridge's own name.
     * @param {LogEntry['level']} level
     * @param {string} message
     */
    report: (level, message) =>
      pass({ time: now(), level, logger: BRIDGE, message: escaped(message) }),

    /** The last lines of stderr since the last forget(), oldest first, at most 50. */
    tail: () => [...tail],

    /** Empties the tail: what comes next is another process's. */
    forget() {
      tail = [];
    },
  };
}

/**
 * @param {LogEntry} entry
 * @returns {string[]} its lines
 */
const texts = ({ message, cause }) => (cause === undefined ? [message] : [message, cause]);

/**
 * @param {string} line
 * @returns {LogEntry}
 */
function parsed(line) {
  const record = Object(attempt(() => JSON.parse(line)));
  const { time = now(), level, logger = STDERR, message, cause } = record;
  const areTexts = [time, logger, message, cause || ''].every((each) => typeof each === 'string');
  if (!areTexts || !LEVELS.includes(level)) {
    return { time: now(), level: 'info', logger: STDERR, message: escaped(line) };
  }
  const ours = { time, level, logger, message: escaped(message) };
  return cause === undefined ? ours : { ...ours, cause: escaped(String(cause)) };
}

/** @param {string} text */
function escaped(text) {
  return text.replace(CONTROL, (each) => {
    const hex = each.charCodeAt(0).toString(16);
    return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
  });
}

/** The error codes of a write to a closed pipe (Windows says EOF when the write was waiting), to a
 * closed terminal and to a vanished terminal. */
const NO_READER = Object.freeze(['EPIPE', 'EOF', 'EIO', 'ENXIO']);

/**
 * Keeps the app alive when its own stdout or stderr has lost its reader (a closed terminal, a
 * launcher that ended): every console line would otherwise be an uncaught error
 * (https://github.com/amd/gaia/issues/3498, https://github.com/rotki/rotki/pull/11592).
 *
 * Any other error ends the app exactly when it would without this listener: when the app itself
 * does not listen.
 *
 * @param {readonly NodeJS.WritableStream[]} streams
 * @returns {() => void} takes the listeners away; a second call does nothing
 */
function holdBrokenPipes(streams) {
  const held = [...streams];
  // The first to be called: the app's own once() is not counted any more when it was called.
  for (const stream of held) stream.prependListener('error', onPipeError);
  return () => {
    for (const stream of held.splice(0)) stream.removeListener('error', onPipeError);
  };
}

/**
 * @this {NodeJS.WritableStream}
 * @param {NodeJS.ErrnoException} error
 */
function onPipeError(error) {
  const isAppDeaf = this.listeners('error').every((each) => each === onPipeError);
  if (isAppDeaf && !NO_READER.includes(String(error.code))) throw error;
}

module.exports = { LEVELS, logLines, TAIL_LINES, holdBrokenPipes };
