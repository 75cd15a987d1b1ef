'use strict';

/**
 * Owns one run of the sidecar: a process, the conversation with it, the handshake that makes it
 * ready, and the reason of its end. Knows neither the app nor any run before or after it.
 */

const { RpcError, SidecarError } = require('../errors.cjs');
const { ERRORS, METHODS, PROTOCOL_VERSION, VERSION } = require('../protocol.cjs');
const { RpcClient } = require('../rpc/client.cjs');
const { SidecarProcess } = require('./sidecar-process.cjs');
const { spawnFailure } = require('./launch.cjs');

const SAME_RELEASE = 'Ship the sidecar and the bridge of one release.';

/**
 * The params of `initialize`; the sidecar also ends when the process `parentPid` is gone.
 * @param {import('../sessions/mirror.cjs').Inheritance} [inheritance] of earlier processes
 * @param {readonly string[]} [answered] what the sidecar may ask
 * @returns {import('../../index').InitializeParams}
 */
function initializeParams({ resume, usedIds, ...inherited } = {}, answered = []) {
  const capabilities = Object.fromEntries(answered.map((name) => [name, true]));
  return {
    protocolVersion: PROTOCOL_VERSION,
    parentPid: process.pid,
    client: {
      name: 'clara-voice-bridge',
      version: VERSION,
      ...(answered.length > 0 && { capabilities }),
    },
    ...(resume && resume.length > 0 && { resume, ...inherited }),
    ...(usedIds && usedIds.length > 0 && { usedIds }),
  };
}

/**
 * In development only the protocol must be the same: either half may be ahead of the other.
 *
 * @param {unknown} result of `initialize`
 * @param {boolean} packaged
 * @returns {SidecarError | null} VERSION_MISMATCH, or null when the two fit together
 */
function mismatch(result, packaged) {
  const { protocolVersion, server } = Object(result);
  const { version } = Object(server);
  if (protocolVersion === PROTOCOL_VERSION && (!packaged || version === VERSION)) return null;
  return new SidecarError(
    'VERSION_MISMATCH',
    `The bridge is version ${VERSION} with protocol ${PROTOCOL_VERSION}, the sidecar is version ` +
      `${version} with protocol ${protocolVersion}.`,
    { fix: SAME_RELEASE },
  );
}

/**
 * @param {unknown} error with which `initialize` was rejected
 * @param {number} timeoutMs it was given
 * @param {readonly string[]} stderrTail
 * @returns {SidecarError | null} why the start failed; null when the end of the run, which says
 *   more, is the reason
 */
function startFailure(error, timeoutMs, stderrTail) {
  if (error instanceof RpcError) {
    return new SidecarError(
      'VERSION_MISMATCH',
      `The sidecar refused the bridge, version ${VERSION} with protocol ${PROTOCOL_VERSION}: ` +
        error.message,
      { fix: SAME_RELEASE, cause: error },
    );
  }
  if (error instanceof SidecarError && error.code === 'TIMEOUT') {
    return new SidecarError(
      'START_TIMEOUT',
      `The sidecar did not answer within ${timeoutMs} ms of its start and was ended.` +
        lastWords(stderrTail),
      {
        fix: 'A first run under an antivirus program can take long: give a longer `startTimeoutMs`.',
        stderrTail,
      },
    );
  }
  return null;
}

/**
 * @param {readonly string[]} stderrTail
 * @returns {string} the end of a message, beginning with a space; empty without a tail
 */
function lastWords(stderrTail) {
  const last = stderrTail[stderrTail.length - 1];
  return last === undefined ? '' : ` Its last line on stderr: ${last}`;
}

/** Milliseconds; the sidecar answers `connect` within 15 s (protocol, `connect`). */
const CONNECT_TIMEOUT_MS = 20 * 1000;
/** Milliseconds; the ladder ends a sidecar that does not answer `shutdown` long before. */
const SHUTDOWN_TIMEOUT_MS = 20 * 1000;

/** Milliseconds; a system that shuts down, and an installer, give little time. */
const FAST_STOP_MS = 1000;

/**
 * @typedef {import('../sessions/mirror.cjs').Inheritance} Inheritance
 * @typedef {import('./sidecar-process.cjs').EndReport} EndReport
 *
 * @typedef {object} RunEnd
 * @property {SidecarError} error why it ended; STOPPED when it was asked to
 * @property {{code: number | null, signal: string | null} | null} exit null when there never was a
 *   process
 *
 * @typedef {object} RunHandlers none may throw; none is called within the constructor
 * @property {() => Inheritance} onResumeRefused the sidecar takes over none of the earlier sessions;
 *   gives what it is told instead
 * @property {() => void} onReady the sidecar answered; what was asked meanwhile is sent right after
 * @property {(method: string, params: any) => void} onNotification
 * @property {(end: RunEnd) => void} onEnded exactly once, after all that the sidecar still said
 */

class Run {
  #process;
  #rpc;
  #logs;
  #handlers;
  #launch;
  #startTimeoutMs;
  #answers;
  #deadlines;
  /** @type {import('../time.cjs').Deadline | undefined} of a stop in a hurry */
  #lastCall;
  /** @type {SidecarError | undefined} why the run is being ended; undefined while it goes on */
  #reason;

  /**
   * Starts the sidecar.
   *
   * @param {object} options
   * @param {import('./launch.cjs').Launch} options.launch
   * @param {number} options.startTimeoutMs
   * @param {Inheritance} options.inheritance
   * @param {Readonly<Record<string, import('../rpc/client.cjs').Answer>>} options.answers
   * @param {import('../logs.cjs').LogLines} options.logs
   * @param {import('../time.cjs').Deadlines} options.deadlines
   * @param {RunHandlers} handlers
   */
  constructor({ launch, startTimeoutMs, inheritance, answers, logs, deadlines }, handlers) {
    this.#answers = answers;
    this.#launch = launch;
    this.#startTimeoutMs = startTimeoutMs;
    this.#deadlines = deadlines;
    this.#logs = logs;
    this.#handlers = handlers;
    const onProblem = (/** @type {string} */ problem) => logs.report('warning', problem);
    const processHandlers = {
      onLine: (/** @type {string} */ line) => this.#rpc.handleLine(line),
      onLogLine: (/** @type {string} */ line) => logs.handleLine(line),
      onProblem,
      onEnded: (/** @type {EndReport} */ report) => this.#onEnded(report),
    };
    this.#process = new SidecarProcess(launch, processHandlers, undefined, deadlines);
    this.#rpc = new RpcClient({
      write: (frame, done) => this.#process.write(frame, done),
      onNotification: handlers.onNotification,
      onOddLine: onProblem,
      deadlines,
      answers,
    });
    this.#initialize(inheritance);
  }

  /**
   * @param {string} method
   * @param {object | undefined} params
   * @param {import('../rpc/client.cjs').RequestOptions} options
   * @returns {Promise<any>} as RpcClient.request(); held until the sidecar is ready
   */
  request(method, params, options) {
    return this.#rpc.request(method, params, options);
  }

  /**
   * Sends the agent into a room, past what is held. Its outcome is not this promise's: a join that
   * failed is announced by `agent-state-changed`.
   *
   * @param {object} params of `connect`
   */
  connect(params) {
    if (this.#reason !== undefined) return;
    const options = { timeoutMs: CONNECT_TIMEOUT_MS, ahead: true };
    const connecting = this.#rpc.request(METHODS.connect, params, options);
    connecting.catch((error) => this.#onConnectRefused(error));
  }

  /** Ends the run in order: `shutdown`, then the process's own ladder. */
  stop() {
    if (this.#reason !== undefined) return;
    this.#reason = new SidecarError('STOPPED', 'The sidecar was stopped by stop().');
    const options = { timeoutMs: SHUTDOWN_TIMEOUT_MS, ahead: true };
    this.#rpc.request(METHODS.shutdown, undefined, options).catch(() => {
      // The process may end before it answers; that is fine.
    });
    this.#process.end();
  }

  /** Limits the stop, present or next, to one second. */
  hurry() {
    this.#deadlines.clear(this.#lastCall);
    this.#lastCall = this.#deadlines.set(FAST_STOP_MS, () => this.#process.kill());
  }

  /** Ends the run now. */
  kill() {
    this.#process.kill();
  }

  /** Ends the run before this returns: for the end of the app itself. Nothing is told. */
  killNow() {
    this.#process.killNow();
  }

  /** @param {Inheritance} inheritance */
  #initialize = async (inheritance) => {
    const timeoutMs = this.#startTimeoutMs;
    let result;
    try {
      const options = { timeoutMs, ahead: true };
      result = await this.#rpc.request(
        METHODS.initialize,
        initializeParams(inheritance, Object.keys(this.#answers)),
        options,
      );
    } catch (error) {
      const { resume } = inheritance;
      if (error instanceof RpcError && resume && resume.length > 0) this.#initializeAnew(error);
      else this.#giveUp(startFailure(error, timeoutMs, this.#logs.tail()));
      return;
    }
    this.#begin(mismatch(result, this.#launch.packaged));
  };

  /**
   * A sidecar that does not take the earlier sessions over is better than none.
   * @param {RpcError} refusal
   */
  #initializeAnew = (refusal) => {
    if (this.#reason !== undefined) return;
    const { message } = refusal;
    this.#logs.report('warning', `The sidecar does not take over the open sessions: ${message}`);
    this.#initialize(this.#handlers.onResumeRefused());
  };

  /** @param {SidecarError | null} problem */
  #begin = (problem) => {
    if (problem !== null) return this.#giveUp(problem);
    if (this.#reason !== undefined) return;
    this.#handlers.onReady();
    this.#rpc.release();
  };

  /**
   * Nothing is lost by a kill here: before the handshake the sidecar has joined no room.
   * @param {SidecarError | null} reason
   */
  #giveUp = (reason) => {
    if (reason === null || this.#reason !== undefined) return;
    this.#reason = reason;
    this.#process.kill();
  };

  /**
   * A join that failed is announced by `agent-state-changed` and by the sidecar's own log line, and
   * one that a stop cut short is nobody's fault. Wrong parameters are not: nothing changed.
   *
   * @param {Error} error
   */
  #onConnectRefused = (error) => {
    if (!(error instanceof RpcError) || this.#reason !== undefined) return;
    if (error.code === ERRORS.CONNECT_FAILED) return;
    const fix = (error.data && error.data.fix) || 'Correct the option `connect`.';
    this.#logs.report('error', `The sidecar refused to connect: ${error.message} ${fix}`);
  };

  /** @param {EndReport} report */
  #onEnded = ({ code, signal, spawnError, abandoned }) => {
    this.#deadlines.clear(this.#lastCall);
    if (abandoned) {
      const pid = this.#process.pid;
      this.#logs.report('error', `The sidecar (pid ${pid}) could not be killed and is abandoned.`);
    }
    const stderrTail = this.#logs.tail();
    const reason = this.#reason;
    const makeError = () => {
      if (spawnError !== null) return spawnFailure(spawnError, this.#launch);
      const facts = { exitCode: code, signal, stderrTail };
      if (reason !== undefined) {
        const { code: why, problem, fix, cause } = reason;
        return new SidecarError(why, problem, { ...facts, fix, cause });
      }
      const how = signal === null ? `with status ${code}` : `by signal ${signal}`;
      return new SidecarError('EXITED', `The sidecar ended ${how}.${lastWords(stderrTail)}`, facts);
    };
    this.#rpc.rejectAll(makeError);
    this.#handlers.onEnded({
      error: makeError(),
      exit: this.#process.pid === undefined ? null : { code, signal },
    });
  };
}

module.exports = { Run, initializeParams, mismatch, startFailure };
