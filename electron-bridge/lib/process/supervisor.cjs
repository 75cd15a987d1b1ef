'use strict';

/**
 * Owns the life of the sidecar's processes: their states, the present run with its handshake, the
 * restart after an unasked end, the room that the agent is sent to, and the stop. Knows neither
 * pipes nor frames. The mirror decides how the end of a process changes the sessions.
 */

const { performance } = require('perf_hooks');

const { withIdentity } = require('../electron/agent-identity.cjs');
const { holdQuit } = require('../electron/system.cjs');
const { RpcError, SidecarError } = require('../errors.cjs');
const { holdBrokenPipes } = require('../logs.cjs');
const { ERRORS, METHODS } = require('../protocol.cjs');
const { rpcClient } = require('../rpc/client.cjs');
const { deferred } = require('../time.cjs');
const { existingUserData, resolveLaunch } = require('./launch.cjs');
const { crashLoop, restartDelay } = require('./restarts.cjs');
const { endError, initializeParams, mismatch, startFailure } = require('./run.cjs');
const { SidecarProcess } = require('./sidecar-process.cjs');

/** Failures worth a restart; the others would fail the same way again. */
const RESTARTABLE = Object.freeze(['EXITED', 'START_TIMEOUT']);

/**
 * For `connect`, which the sidecar answers within 15 s (protocol), and for `shutdown`: when it has no
 * answer, the ladder ends the sidecar long before. These requests pass the requests that are held.
 */
const OWN_REQUEST = Object.freeze({ timeoutMs: 20 * 1000, ahead: true });
/** After it, the next notification asks again: the answer itself may be lost. */
const HEALING = Object.freeze({ timeoutMs: 30 * 1000, ahead: true });

/** Why a call is refused. */
const DISPOSED = 'dispose() was called. Make a new one with createSidecar().';
const STOPPING = 'the sidecar is being stopped. Ask again after stop() is done.';

/**
 * @typedef {import('../../index').ProcessState} ProcessState
 * @typedef {import('./sidecar-process.cjs').EndReport} EndReport
 * @typedef {import('../sessions/events.cjs').Announcement} Announcement
 *
 * @typedef {object} Run of one process
 * @property {SidecarProcess} child
 * @property {import('../rpc/client.cjs').RpcClient} rpc holds the app's requests until the sidecar is ready
 * @property {import('./launch.cjs').Launch} launch
 * @property {SidecarError | undefined} reason why it is being ended; undefined while it goes on
 *
 * @typedef {object} Parts
 * @property {import('../logs.cjs').LogLines} logs
 * @property {import('../sessions/mirror.cjs').Mirror} mirror
 * @property {import('../sessions/events.cjs').Announcer} announcer
 * @property {import('../time.cjs').Deadlines} deadlines
 * @property {Readonly<Record<string, import('../rpc/client.cjs').Answer>>} answers to what the
 *   sidecar asks
 */

class Supervisor {
  #options;
  #parts;
  /** @type {ProcessState} */
  state = 'idle';
  /** @type {SidecarError | undefined} why it is in `failed` */
  #failure;
  /** @type {Run | undefined} in the states starting, ready and stopping */
  #run;
  /** @type {import('../time.cjs').Deadline | undefined} in the state backoff */
  #restart;
  /** @type {number[] | undefined} when each restart was decided; undefined until it was ready once */
  #restartedMs;
  #isDisposed = false;
  /** Whether a listing is under way that was asked for since notifications are missing. */
  #isHealing = false;
  #started = deferred();
  #stopped = deferred();
  #releaseQuit = () => {};
  #releasePipes = () => {};
  /** Where the next process sends the agent: what the app asked for last, and whether that is out. */
  #aim;

  /**
   * @param {ReturnType<import('../options.cjs').checkedOptions>} options
   * @param {Parts} parts
   */
  constructor(options, parts) {
    this.#options = options;
    this.#parts = parts;
    this.#aim = { target: options.connect, isOut: false };
  }

  /** The room that the agent is sent to; undefined while it is to stay out. */
  get room() {
    return this.#aim.isOut ? undefined : this.#aim.target.room;
  }

  /**
   * @returns {Promise<void>} resolves when the sidecar is ready; rejects when its first process
   *   ends before, or when none is started again
   */
  async start() {
    this.#refuseWhenStopped('start()');
    if (this.state === 'backoff') {
      this.#startRun(); // now: somebody waits
    } else if (this.#run === undefined) {
      // After stop() all begins anew; out of `failed` it goes on where the app left it.
      if (this.state === 'idle') this.#aim = { target: this.#options.connect, isOut: false };
      this.#restartedMs = undefined;
      this.#started = deferred();
      this.#startRun();
    }
    return this.#started.promise;
  }

  /**
   * Ends whatever there is, in order; a second call while that is under way kills.
   * @returns {Promise<void>} resolves when there is no process any more
   */
  async stop() {
    const { deadlines, mirror, announcer } = this.#parts;
    deadlines.resume(); // whoever stops it is awake, whatever was told last
    if (this.state === 'idle') return;
    const reason = new SidecarError('STOPPED', 'The sidecar was stopped by stop().');
    const run = this.#run;
    if (run === undefined) {
      deadlines.clear(this.#restart);
      this.#end('idle', reason, []);
    } else if (this.state === 'stopping') {
      run.child.kill();
    } else {
      this.#stopped = deferred();
      run.reason = run.reason || reason;
      // The process may end before it answers; that is fine.
      run.rpc.request(METHODS.shutdown, undefined, OWN_REQUEST).catch(() => {});
      run.child.end();
      announcer.tell([...mirror.stopAsked(), this.#moved('stopping')]);
    }
    return this.#stopped.promise;
  }

  /** As stop(), but never by force: somebody else may be stopping the sidecar already. */
  stopOnce = () => (this.state === 'stopping' ? this.#stopped.promise : this.stop());

  /** As stopOnce(), and by force after a second: neither a system nor an installer waits. */
  stopFast = () => {
    const run = this.#run;
    this.#parts.deadlines.resume();
    const stopped = this.stopOnce();
    if (run !== undefined) run.child.hurry();
    return stopped;
  };

  /** As stopOnce(), for good. */
  async dispose() {
    this.#isDisposed = true;
    await this.stopOnce();
    this.#releasePipes();
  }

  /** The system is about to sleep; a stop under way goes on after it, told of the wake-up or not. */
  suspend() {
    if (this.state !== 'stopping') this.#parts.deadlines.suspend();
  }

  /** The system woke up: a sidecar that was given up gets one more process. */
  systemResumed() {
    this.#parts.deadlines.resume();
    const isGivenUp = this.state === 'failed' && Object(this.#failure).code === 'CRASH_LOOP';
    if (this.#isDisposed || !isGivenUp) return;
    this.#started = deferred();
    this.#startRun();
  }

  /**
   * @param {string} method
   * @param {object | undefined} params
   * @param {import('../rpc/client.cjs').RequestOptions} options
   * @returns {Promise<any>} as RpcClient.request(); held until the sidecar is ready
   */
  async request(method, params, options) {
    this.#refuseWhenStopped(`"${method}"`);
    const isConnect = method === METHODS.connect && this.#run !== undefined;
    const before = this.#aim;
    // At once, since a crash may come before the answer.
    if (isConnect) this.#aim = { target: over(before.target, params), isOut: false };
    if (method === METHODS.disconnect) this.#aim = { ...before, isOut: true };
    const aim = this.#aim;
    if (this.#run === undefined) {
      const fix = this.state === 'backoff' ? 'It is started again soon.' : 'Call start() first.';
      const problem = `"${method}" was not sent: the sidecar does not run (${this.state}).`;
      throw new SidecarError('NOT_READY', problem, { fix });
    }
    try {
      // The whole target: this process may never have been told of it.
      const sent = isConnect ? this.#connectParams() : params;
      return await this.#run.rpc.request(method, sent, options);
    } catch (error) {
      if (isRefusal(error) && this.#aim === aim) this.#aim = before;
      throw error;
    }
  }

  /**
   * Asks for the sessions, and gives the answer to the mirror before the next line is read.
   * @param {import('../rpc/client.cjs').RequestOptions} options
   */
  async refresh(options) {
    await this.#listed((params, onResult) =>
      this.request(METHODS.listSessions, params, { ...options, onResult }),
    );
  }

  /**
   * Takes a notification; where earlier ones are missing, one listing is asked for.
   *
   * @param {import('../rpc/client.cjs').RpcClient} rpc that it came from
   * @param {string} method
   * @param {unknown} params
   */
  #takeNotification = (rpc, method, params) => {
    const { mirror } = this.#parts;
    this.#take(`a "${method}"`, () => mirror.take(method, params));
    if (mirror.isBehind && !this.#isHealing) this.#heal(rpc);
  };

  /** @param {RpcClient} rpc of a process of which notifications are missing */
  #heal = (rpc) => {
    this.#isHealing = true;
    const ask = (/** @type {any} */ params, /** @type {any} */ onResult) =>
      rpc.request(METHODS.listSessions, params, { ...HEALING, onResult });
    const again = () => {
      // Notifications were lost between two pages.
      if (this.#parts.mirror.isBehind && !this.#isHealing) this.#heal(rpc);
    };
    this.#listed(ask).then(again, () => {
      this.#isHealing = false;
    });
  };

  /**
   * Asks for the list page by page, and gives each to the mirror before the next line is read.
   * @param {(params: any, onResult: (listing: any) => void) => Promise<any>} ask
   */
  #listed = async (ask) => {
    /** @type {Set<string>} */
    const onPages = new Set();
    /** @type {unknown} */
    let epoch;
    const take = (/** @type {any} */ listing) => {
      epoch = epoch || Object(listing).epoch;
      if (Object(listing).epoch !== epoch) return; // of another process: its pages begin anew
      if (Object(listing).next === undefined) this.#isHealing = false;
      this.#take('a list of sessions', () => this.#parts.mirror.takeListing(listing, onPages));
    };
    let after;
    do {
      const asked = after === undefined ? undefined : { after };
      after = Object(await ask(asked, take)).next;
    } while (after !== undefined);
  };

  /**
   * @param {string} what
   * @param {() => readonly Announcement[]} take
   */
  #take = (what, take) => {
    try {
      this.#parts.announcer.tell(take());
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      this.#warn(`The sidecar sent ${what} that is none: ${message}.`);
    }
  };

  /** @param {string} text */
  #warn = (text) => this.#parts.logs.report('warning', text);

  #startRun = () => {
    const { logs, mirror, announcer, deadlines, answers } = this.#parts;
    const { electron = {}, requireSingleInstanceLock } = this.#options;
    deadlines.clear(this.#restart);
    logs.forget();
    this.#releasePipes();
    this.#releasePipes = holdBrokenPipes([process.stdout, process.stderr]);
    let launch;
    try {
      if (requireSingleInstanceLock) refuseSecondInstance(electron);
      launch = resolveLaunch(this.#options);
    } catch (error) {
      this.#end('failed', /** @type {SidecarError} */ (error), []);
      return;
    }
    /** @type {import('../rpc/client.cjs').RpcClient} */
    const rpc = rpcClient({
      write: (frame, done) => child.write(frame, done),
      onNotification: (method, params) => this.#takeNotification(rpc, method, params),
      onOddLine: this.#warn,
      deadlines,
      answers,
    });
    const child = new SidecarProcess(launch, deadlines, {
      onLine: (line) => rpc.handleLine(line),
      onLogLine: (line) => logs.handleLine(line),
      onProblem: this.#warn,
      onEnded: (report) => this.#onEnded(run, report),
    });
    /** @type {Run} */
    const run = { child, rpc, launch, reason: undefined };
    this.#run = run;
    const { stopOnce: stop, stopFast } = this;
    this.#releaseQuit = holdQuit(electron, { stop, stopFast, killNow: () => child.killNow() });
    this.#initialize(run, mirror.begin());
    announcer.tell([this.#moved('starting')]);
  };

  /**
   * @param {Run} run
   * @param {import('../sessions/mirror.cjs').Inheritance} inheritance
   * @returns {Promise<void>}
   */
  #initialize = async (run, inheritance) => {
    const { logs, mirror, announcer, answers } = this.#parts;
    const timeoutMs = this.#options.startTimeoutMs;
    const params = initializeParams(inheritance, Object.keys(answers), this.#options.voice);
    let problem;
    try {
      const answer = await run.rpc.request(METHODS.initialize, params, { timeoutMs, ahead: true });
      problem = mismatch(answer, run.launch.packaged);
    } catch (error) {
      if (run.reason === undefined && params.resume && error instanceof RpcError) {
        // A sidecar that does not take the earlier sessions over is better than none.
        this.#warn(`The sidecar does not take over the open sessions: ${error.message}`);
        announcer.tell(mirror.resumeRefused());
        return this.#initialize(run, mirror.begin());
      }
      problem = startFailure(error, timeoutMs, logs.tail());
    }
    if (run.reason !== undefined || this.#run !== run) return undefined;
    if (problem !== null) {
      // Nothing is lost: before the handshake the sidecar has joined no room.
      run.reason = problem;
      return run.child.kill();
    }
    this.#restartedMs = this.#restartedMs || [];
    announcer.tell([this.#moved('ready')]);
    this.#started.resolve();
    if (!this.#aim.isOut && run.reason === undefined) this.#join(run);
    return run.rpc.release();
  };

  /**
   * Sends the agent to its room. A join that failed is announced by `agent-state-changed` and by the
   * sidecar's own log line; wrong parameters are not: nothing changed.
   *
   * @param {Run} run
   */
  #join = (run) => {
    const params = this.#connectParams();
    run.rpc.request(METHODS.connect, params, OWN_REQUEST).catch((error) => {
      if (!isRefusal(error) || run.reason !== undefined) return;
      const fix = (error.data && error.data.fix) || 'Correct the option `connect`.';
      const problem = `The sidecar refused to connect: ${error.message} ${fix}`;
      this.#parts.logs.report('error', problem);
    });
    // With a getToken, a given token is for the first join alone.
    const { token, ...lasting } = params;
    if (this.#options.getToken !== undefined) this.#aim = { target: lasting, isOut: false };
  };

  /** @returns {import('../../index').ConnectOptions} */
  #connectParams = () => {
    const { electron, getToken } = this.#options;
    const folder = () => electron && existingUserData(electron.app);
    return withIdentity(this.#aim.target, getToken !== undefined, folder, this.#warn);
  };

  /**
   * @param {Run} run
   * @param {EndReport} report
   */
  #onEnded = ({ rpc, launch, reason }, report) => {
    const { logs, mirror, announcer, deadlines } = this.#parts;
    this.#run = undefined;
    this.#releaseQuit();
    const { code, signal, spawnError } = report;
    const stderrTail = logs.tail();
    const makeError = () => endError(launch, reason, report, stderrTail);
    rpc.rejectAll(makeError);
    const error = makeError();
    const isStopping = this.state === 'stopping';
    const { restart } = this.#options;
    const restartedMs = this.#restartedMs;
    const nowMs = performance.now();
    const mayRestart = restart && restartedMs && !isStopping && RESTARTABLE.includes(error.code);
    const delayMs = mayRestart ? restartDelay(restart, restartedMs, nowMs) : undefined;
    const exit = { code, signal, stderrTail, willRestart: delayMs !== undefined };
    const exits = spawnError ? [] : [{ name: 'exit', event: exit }];
    if (!mayRestart || delayMs === undefined) {
      this.#end(isStopping ? 'idle' : 'failed', mayRestart ? crashLoop(error) : error, exits);
      return;
    }
    restartedMs.push(nowMs);
    if (this.state === 'ready') this.#started = deferred();
    logs.report('error', `${error.message} It is started again in ${delayMs} ms.`);
    this.#restart = deadlines.set(delayMs, this.#startRun);
    const moved = this.#moved('backoff', { error, retryInMs: delayMs });
    announcer.tell([...mirror.crashed(), moved, ...exits]);
  };

  /**
   * There is no process, and none comes by itself.
   *
   * @param {'idle' | 'failed'} state
   * @param {SidecarError} error
   * @param {readonly Announcement[]} exits the event of the process, if there was one
   */
  #end = (state, error, exits) => {
    const { logs, mirror, announcer } = this.#parts;
    const isFailed = state === 'failed';
    this.#failure = error;
    if (isFailed) logs.report('error', `There is no sidecar: ${error.message}`);
    const closed = mirror.ended(isFailed ? 'sidecar-exited' : 'sidecar-stopped');
    const moved = this.#moved(state, isFailed ? { error } : {});
    const stopped = this.#stopped; // a listener may start and stop it again
    this.#started.reject(error);
    announcer.tell([...closed, moved, ...exits]);
    stopped.resolve();
  };

  /**
   * @param {ProcessState} state
   * @param {{error?: SidecarError, retryInMs?: number}} [facts]
   * @returns {Announcement}
   */
  #moved = (state, facts) => {
    const previousState = this.state;
    this.state = state;
    return { name: 'process-state', event: { state, previousState, ...facts } };
  };

  /** @param {string} what the app asks for */
  #refuseWhenStopped = (what) => {
    const why = this.#isDisposed ? DISPOSED : this.state === 'stopping' ? STOPPING : undefined;
    if (why !== undefined) throw new SidecarError('STOPPED', `${what} is refused: ${why}`);
  };
}

/**
 * @param {Partial<import('../../index').ElectronLike>} electron
 * @throws {SidecarError} BUSY, when another instance of the app has the lock, or none asked for it
 */
function refuseSecondInstance({ app }) {
  if (!app || !app.hasSingleInstanceLock || app.hasSingleInstanceLock()) return;
  const fix = 'Call `app.requestSingleInstanceLock()` first, and quit where it gives false.';
  throw new SidecarError('BUSY', 'This instance of the app has no single-instance lock.', { fix });
}

/**
 * @param {unknown} error of a request
 * @returns {error is RpcError} whether it changed nothing: a join that failed goes on by itself
 */
function isRefusal(error) {
  return error instanceof RpcError && error.code !== ERRORS.CONNECT_FAILED;
}

/**
 * @param {import('../../index').ConnectOptions} target of before
 * @param {any} params of `connect`, over it
 * @returns {any} the target of now: a token takes the place of a key with its secret, and so on
 */
function over({ token, apiKey, apiSecret, ...where }, params) {
  const isGiven = (/** @type {[string, any]} */ [, value]) => value !== undefined && value !== null;
  const given = Object.fromEntries(Object.entries(Object(params)).filter(isGiven));
  const isByRight = given.token !== undefined || given.apiSecret !== undefined;
  return { ...where, ...(isByRight ? {} : { token, apiKey, apiSecret }), ...given };
}

module.exports = { Supervisor };
