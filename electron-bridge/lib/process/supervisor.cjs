'use strict';

/**
 * Owns the life of the sidecar's processes: their states, the present run with its handshake, the
 * restart after an unasked end, the room that the agent is sent to, and the stop. Knows neither
 * pipes nor frames. The mirror decides how the end of a process changes the sessions.
 */

const { performance } = require('perf_hooks');

const { holdQuit } = require('../electron/system.cjs');
const { RpcError, SidecarError } = require('../errors.cjs');
const { holdBrokenPipes } = require('../logs.cjs');
const { ERRORS, METHODS } = require('../protocol.cjs');
const { deferred } = require('../time.cjs');
const { crashLoop, restartDelay } = require('./restarts.cjs');
const { endError, initializeParams, mismatch, startFailure } = require('./run.cjs');

/** Failures worth a restart; the others would fail the same way again. */
const RESTARTABLE = Object.freeze(['EXITED', 'START_TIMEOUT']);

/**
 * For `connect`, which the sidecar answers within 15 s (protocol); for a page of sessions; and for
 * `shutdown`: when it has no answer, the ladder ends the sidecar long before. These requests pass the
 * requests that are held.
 */
const OWN_REQUEST = Object.freeze({ timeoutMs: 20 * 1000, ahead: true });

/** Why a call is refused. */
const DISPOSED = 'dispose() was called. Make a new one with createSidecar().';
const STOPPING = 'the sidecar is being stopped. Ask again after stop() is done.';

/**
 * @typedef {import('../../index').ProcessState} ProcessState
 * @typedef {import('./sidecar-process.cjs').EndReport} EndReport
 * @typedef {import('../sessions/events.cjs').Announcement} Announcement
 *
 * @typedef {object} Run of one process
 * @property {import('./sidecar-process.cjs').SidecarProcess} child
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

/**
 * @typedef {ReturnType<typeof supervise>} Supervisor
 *
 * @param {ReturnType<import('../options.cjs').checkedOptions>} options
 * @param {Parts} parts
 */
function supervise(options, { logs, mirror, announcer, deadlines, answers }) {
  /** @type {ProcessState} */
  let state = 'idle';
  /** @type {SidecarError | undefined} why it is in `failed` */
  let failure;
  /** @type {Run | undefined} in the states starting, ready and stopping */
  let current;
  /** @type {import('../time.cjs').Deadline | undefined} in the state backoff */
  let nextRun;
  /** @type {number[] | undefined} when each restart was decided; undefined until it was ready once */
  let restartedMs;
  let isDisposed = false;
  /** Whether a listing is under way that was asked for since notifications are missing. */
  let isHealing = false;
  let started = deferred();
  let stopped = deferred();
  let releaseQuit = () => {};
  let releasePipes = () => {};
  /** @type {{target: import('../../index').ConnectOptions, isOut: boolean}} where the next process sends
   *   the agent: what the app asked for last, and whether that is out */
  let aim = { target: options.connect, isOut: false };

  /**
   * @returns {Promise<void>} resolves when the sidecar is ready; rejects when its first process
   *   ends before, or when none is started again
   */
  async function start() {
    refuseWhenStopped('start()');
    if (state === 'backoff') {
      startRun(); // now: somebody waits
    } else if (current === undefined) {
      // After stop() all begins anew; out of `failed` it goes on where the app left it.
      if (state === 'idle') aim = { target: options.connect, isOut: false };
      restartedMs = undefined;
      started = deferred();
      startRun();
    }
    return started.promise;
  }

  /**
   * Ends whatever there is, in order; a second call while that is under way kills.
   * @returns {Promise<void>} resolves when there is no process any more
   */
  async function stop() {
    deadlines.resume(); // whoever stops it is awake, whatever was told last
    if (state === 'idle') return;
    const reason = new SidecarError('STOPPED', 'The sidecar was stopped by stop().');
    const run = current;
    if (run === undefined) {
      deadlines.clear(nextRun);
      finish('idle', reason, []);
    } else if (state === 'stopping') {
      run.child.kill();
    } else {
      stopped = deferred();
      run.reason = run.reason || reason;
      // The process may end before it answers; that is fine.
      run.rpc.request(METHODS.shutdown, undefined, OWN_REQUEST).catch(() => {});
      run.child.end();
      announcer.tell([...mirror.stopAsked(), moved('stopping')]);
    }
    return stopped.promise;
  }

  /** As stop(), but never by force: somebody else may be stopping the sidecar already. */
  const stopOnce = () => (state === 'stopping' ? stopped.promise : stop());

  /** As stopOnce(), and by force after a second: neither a system nor an installer waits. */
  const stopFast = () => {
    const run = current;
    const end = stopOnce();
    if (run !== undefined) run.child.hurry();
    return end;
  };

  /** As stopOnce(), for good. */
  async function dispose() {
    isDisposed = true;
    await stopOnce();
    releasePipes();
  }

  /** The system is about to sleep; a stop under way goes on after it, told of the wake-up or not. */
  function suspend() {
    if (state !== 'stopping') deadlines.suspend();
  }

  /** The system woke up: a sidecar that was given up gets one more process. */
  function systemResumed() {
    deadlines.resume();
    const isGivenUp = state === 'failed' && Object(failure).code === 'CRASH_LOOP';
    if (!isGivenUp) return;
    started = deferred();
    startRun();
  }

  /**
   * @param {string} method
   * @param {object | undefined} params
   * @param {import('../rpc/client.cjs').RequestOptions} limits
   * @returns {Promise<any>} as RpcClient.request(); held until the sidecar is ready
   */
  async function request(method, params, limits) {
    refuseWhenStopped(`"${method}"`);
    const isConnect = method === METHODS.connect && current !== undefined;
    const before = aim;
    // `switch` is of this call alone.
    const { switch: switches, ...where } = /** @type {any} */ (Object(params));
    // At once, since a crash may come before the answer.
    if (isConnect) aim = { target: over(before.target, where), isOut: false };
    if (method === METHODS.disconnect) aim = { ...before, isOut: true };
    const wanted = aim;
    const { rpc } = running(method);
    try {
      // The whole target: this process may never have been told of it.
      const sent = isConnect ? { ...connectParams(), switch: switches } : params;
      return await rpc.request(method, sent, limits);
    } catch (error) {
      if (isRefusal(error) && aim === wanted) aim = before;
      throw error;
    }
  }

  /**
   * Asks for the sessions; what the mirror lacks is told before it resolves.
   * @param {import('../rpc/client.cjs').RequestOptions} limits
   */
  async function refresh(limits) {
    refuseWhenStopped('listSessions()');
    await list(running(METHODS.listSessions), limits);
  }

  /**
   * Takes a notification; where earlier ones are missing, one listing is asked for.
   *
   * @param {Run} run that it came from
   * @param {string} method
   * @param {unknown} params
   */
  const takeNotification = (run, method, params) => {
    announce(`a "${method}"`, () => mirror.take(method, params));
    heal(run);
  };

  /** @param {Run} run */
  const heal = (run) => {
    if (!mirror.isBehind || isHealing) return;
    isHealing = true;
    const end = (/** @type {unknown} */ isTaken) => {
      isHealing = false;
      // Between two pages more may be lost; after a failure the next notification asks again.
      if (isTaken === true) heal(run);
    };
    list(run, OWN_REQUEST).then(end, end);
  };

  /**
   * Asks for the list page by page, and gives each to the mirror before the next line is read.
   *
   * @param {Run} run
   * @param {import('../rpc/client.cjs').RequestOptions} limits of each page
   * @returns {Promise<boolean>} whether each page was one
   */
  const list = async ({ rpc }, limits) => {
    /** @type {Set<string>} */
    const onPages = new Set();
    let isTaken = true;
    const onResult = (/** @type {unknown} */ page) => {
      isTaken = announce('a list of sessions', () => mirror.takeListing(page, onPages));
    };
    /** @type {{after: string} | undefined} */
    let asked;
    try {
      do {
        const page = await rpc.request(METHODS.listSessions, asked, { ...limits, onResult });
        const { next: after } = Object(page);
        asked = after === undefined ? undefined : { after };
      } while (isTaken && asked !== undefined);
    } finally {
      if (asked !== undefined || !isTaken) mirror.isBehind = true; // as to the pages that did not come
    }
    return isTaken;
  };

  /**
   * @param {string} what
   * @param {() => readonly Announcement[]} take
   * @returns {boolean} whether it is what it should be
   */
  const announce = (what, take) => {
    try {
      announcer.tell(take());
      return true;
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      warn(`The sidecar sent ${what} that is none: ${message}.`);
      return false;
    }
  };

  /**
   * @param {string} method
   * @returns {Run}
   * @throws {SidecarError} NOT_READY
   */
  const running = (method) => {
    if (current !== undefined) return current;
    const fix = state === 'backoff' ? 'It is started again soon.' : 'Call start() first.';
    const problem = `"${method}" was not sent: the sidecar does not run (${state}).`;
    throw new SidecarError('NOT_READY', problem, { fix });
  };

  /** @param {string} text */
  const warn = (text) => logs.report('warning', text);

  const startRun = () => {
    // Loaded now, since an app makes its sidecar before its first window, and starts it after that.
    const { rpcClient } = require('../rpc/client.cjs');
    const { resolveLaunch } = require('./launch.cjs');
    const { sidecarProcess } = require('./sidecar-process.cjs');
    const { electron = {}, requireSingleInstanceLock } = options;
    deadlines.clear(nextRun);
    logs.forget();
    releasePipes();
    releasePipes = holdBrokenPipes([process.stdout, process.stderr]);
    let launch;
    try {
      if (requireSingleInstanceLock) refuseSecondInstance(electron);
      launch = resolveLaunch(options);
    } catch (error) {
      finish('failed', /** @type {SidecarError} */ (error), []);
      return;
    }
    /** @type {import('../rpc/client.cjs').RpcClient} */
    const rpc = rpcClient({
      write: (frame, done) => child.write(frame, done),
      onNotification: (method, params) => takeNotification(run, method, params),
      onOddLine: warn,
      deadlines,
      answers,
    });
    const child = sidecarProcess(launch, deadlines, {
      onLine: (line) => rpc.handleLine(line),
      onLogLine: (line) => logs.handleLine(line),
      onProblem: warn,
      onEnded: (report) => onEnded(run, report),
    });
    /** @type {Run} */
    const run = { child, rpc, launch, reason: undefined };
    current = run;
    releaseQuit = holdQuit(electron, { stop: stopOnce, stopFast, killNow: child.killNow });
    initialize(run, mirror.begin());
    announcer.tell([moved('starting')]);
  };

  /**
   * @param {Run} run
   * @param {import('../sessions/mirror.cjs').Inheritance} inheritance
   * @returns {Promise<void>}
   */
  const initialize = async (run, inheritance) => {
    const timeoutMs = options.startTimeoutMs;
    const params = initializeParams(inheritance, Object.keys(answers), options.voice);
    let problem;
    try {
      const answer = await run.rpc.request(METHODS.initialize, params, { timeoutMs, ahead: true });
      problem = mismatch(answer, run.launch.packaged);
    } catch (error) {
      if (run.reason === undefined && params.resume && error instanceof RpcError) {
        // A sidecar that does not take the earlier sessions over is better than none.
        warn(`The sidecar does not take over the open sessions: ${error.message}`);
        announcer.tell(mirror.resumeRefused());
        return initialize(run, mirror.begin());
      }
      problem = startFailure(error, timeoutMs, logs.tail());
    }
    if (run.reason !== undefined || current !== run) return undefined;
    if (problem !== null) {
      // Nothing is lost: before the handshake the sidecar has joined no room.
      run.reason = problem;
      return run.child.kill();
    }
    restartedMs = restartedMs || [];
    announcer.tell([moved('ready')]);
    started.resolve();
    if (!aim.isOut && run.reason === undefined) join(run);
    return run.rpc.release();
  };

  /**
   * Sends the agent to its room. A join that failed is announced by `agent-state-changed` and by the
   * sidecar's own log line; wrong parameters are not: nothing changed. A join that the app's own
   * disconnect() ended needs no line.
   *
   * @param {Run} run
   */
  const join = (run) => {
    const params = connectParams();
    run.rpc.request(METHODS.connect, params, OWN_REQUEST).catch((error) => {
      if (!isRefusal(error) || error.code === ERRORS.NOT_CONNECTED || run.reason) return;
      const fix = (error.data && error.data.fix) || 'Correct the option `connect`.';
      const problem = `The sidecar refused to connect: ${error.message} ${fix}`;
      logs.report('error', problem);
    });
    // With a getToken, a given token is for the first join alone.
    const { token, ...lasting } = params;
    if (options.getToken !== undefined) aim = { target: lasting, isOut: false };
  };

  /** @returns {import('../../index').ConnectOptions} */
  const connectParams = () => {
    const { withIdentity } = require('../electron/agent-identity.cjs');
    const { existingUserData } = require('./launch.cjs');
    const { electron, getToken } = options;
    const folder = () => electron && existingUserData(electron.app);
    return withIdentity(aim.target, getToken !== undefined, folder, warn);
  };

  /**
   * @param {Run} run
   * @param {EndReport} report
   */
  const onEnded = ({ rpc, launch, reason }, report) => {
    current = undefined;
    releaseQuit();
    const { code, signal, spawnError } = report;
    const stderrTail = logs.tail();
    const makeError = () => endError(launch, reason, report, stderrTail);
    rpc.rejectAll(makeError);
    const error = makeError();
    const isStopping = state === 'stopping';
    const { restart } = options;
    const decidedMs = restartedMs;
    const nowMs = performance.now();
    const mayRestart = restart && decidedMs && !isStopping && RESTARTABLE.includes(error.code);
    const delayMs = mayRestart ? restartDelay(restart, decidedMs, nowMs) : undefined;
    const exit = { code, signal, stderrTail, willRestart: delayMs !== undefined };
    const exits = spawnError ? [] : [{ name: 'exit', event: exit }];
    if (!mayRestart || delayMs === undefined) {
      finish(isStopping ? 'idle' : 'failed', mayRestart ? crashLoop(error) : error, exits);
      return;
    }
    decidedMs.push(nowMs);
    if (state === 'ready') started = deferred();
    logs.report('error', `${error.message} It is started again in ${delayMs} ms.`);
    nextRun = deadlines.set(delayMs, startRun);
    const change = moved('backoff', { error, retryInMs: delayMs });
    announcer.tell([...mirror.crashed(), change, ...exits]);
  };

  /**
   * There is no process, and none comes by itself.
   *
   * @param {'idle' | 'failed'} next
   * @param {SidecarError} error
   * @param {readonly Announcement[]} exits the event of the process, if there was one
   */
  const finish = (next, error, exits) => {
    const isFailed = next === 'failed';
    failure = error;
    if (isFailed) logs.report('error', `There is no sidecar: ${error.message}`);
    const closed = mirror.ended(isFailed ? 'sidecar-exited' : 'sidecar-stopped');
    const change = moved(next, isFailed ? { error } : {});
    const waiting = stopped; // a listener may start and stop it again
    started.reject(error);
    announcer.tell([...closed, change, ...exits]);
    waiting.resolve();
  };

  /**
   * @param {ProcessState} next
   * @param {{error?: SidecarError, retryInMs?: number}} [facts]
   * @returns {Announcement}
   */
  const moved = (next, facts) => {
    const previousState = state;
    state = next;
    return { name: 'process-state', event: { state, previousState, ...facts } };
  };

  /** @param {string} what the app asks for */
  const refuseWhenStopped = (what) => {
    const why = isDisposed ? DISPOSED : state === 'stopping' ? STOPPING : undefined;
    if (why !== undefined) throw new SidecarError('STOPPED', `${what} is refused: ${why}`);
  };

  const calls = { start, stop, stopFast, dispose, suspend, systemResumed, request, refresh };
  return {
    ...calls,
    get state() {
      return state;
    },
    /** Gives the room that the agent is sent to; undefined while it is to stay out. */
    room: () => (aim.isOut ? undefined : aim.target.room),
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

module.exports = { supervise };
