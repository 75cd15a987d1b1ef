'use strict';

/**
 * Owns the life of the sidecar's processes: their states, the run under way, its restart after an
 * end that nobody asked for, and the stop. Knows neither pipes nor frames, and leaves to the mirror
 * what an end means for the sessions.
 */

const { performance } = require('perf_hooks');

const { withIdentity } = require('../electron/agent-identity.cjs');
const { holdQuit } = require('../electron/system.cjs');
const { RpcError, SidecarError } = require('../errors.cjs');
const { holdBrokenPipes } = require('../logs.cjs');
const { ERRORS, METHODS } = require('../protocol.cjs');
const { Intake } = require('../sessions/events.cjs');
const { deferred } = require('../time.cjs');
const { existingUserData, resolveLaunch } = require('./launch.cjs');
const { Restarts, crashLoop, nextState } = require('./restarts.cjs');
const { Run } = require('./run.cjs');

/** Failures worth a restart; the others would fail the same way again. */
const RESTARTABLE = Object.freeze(['EXITED', 'START_TIMEOUT']);

/**
 * @typedef {import('../../index').ProcessState} ProcessState
 * @typedef {import('../sessions/events.cjs').Announcement} Announcement
 */

class Supervisor {
  #options;
  #logs;
  #mirror;
  #announcer;
  #deadlines;
  #answers;
  #restarts;
  #intake;
  /** @type {ProcessState} */
  #state = 'idle';
  /** @type {SidecarError | undefined} why it is in `failed` */
  #failure;
  /** @type {Run | undefined} in the states starting, ready and stopping */
  #run;
  /** @type {import('../time.cjs').Deadline | undefined} in the state backoff */
  #restart;
  #wasReady = false;
  #isDisposed = false;
  #started = deferred();
  #stopped = deferred();
  #releaseQuit = () => {};
  #releasePipes = () => {};
  /** Where the next process sends the agent: what the app asked for last. */
  #target;
  /** Whether the app took the agent out: the next process leaves it there. */
  #isOut = false;

  /**
   * @param {ReturnType<import('../options.cjs').checkedOptions>} options
   * @param {object} parts
   * @param {import('../logs.cjs').LogLines} parts.logs
   * @param {import('../sessions/mirror.cjs').Mirror} parts.mirror
   * @param {import('../sessions/events.cjs').Announcer} parts.announcer
   * @param {import('../time.cjs').Deadlines} parts.deadlines
   * @param {Readonly<Record<string, import('../rpc/client.cjs').Answer>>} parts.answers to what the
   *   sidecar asks
   */
  constructor(options, { logs, mirror, announcer, deadlines, answers }) {
    this.#options = options;
    this.#logs = logs;
    this.#mirror = mirror;
    this.#announcer = announcer;
    this.#deadlines = deadlines;
    this.#answers = answers;
    this.#target = options.connect;
    this.#restarts = new Restarts(options.restart);
    this.#intake = new Intake({ mirror, announcer, warn: (text) => logs.report('warning', text) });
  }

  get state() {
    return this.#state;
  }

  /** The room that the agent is sent to; undefined while it is to stay out. */
  get room() {
    return this.#isOut ? undefined : this.#target.room;
  }

  /**
   * @returns {Promise<void>} resolves when the sidecar is ready; rejects when its first process
   *   ends before, or when none is started again
   */
  async start() {
    this.#refuseIfDisposed('start()');
    if (this.#state === 'ready') return;
    if (this.#state === 'stopping') {
      throw new SidecarError(
        'STOPPED',
        'The sidecar is being stopped. Start it after stop() is done.',
      );
    }
    if (this.#state === 'backoff') {
      this.#startRun(); // now: somebody waits
    } else if (this.#state !== 'starting') {
      this.#restarts.forget();
      // After stop() all begins anew; out of `failed` it goes on where the app left it.
      if (this.#state === 'idle') this.#aim(this.#options.connect, false);
      this.#wasReady = false;
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
    this.#deadlines.resume(); // whoever stops it is awake, whatever was told last
    if (this.#state === 'idle') return;
    if (this.#state === 'stopping') {
      /** @type {Run} */ (this.#run).kill();
    } else if (this.#run === undefined) {
      this.#deadlines.clear(this.#restart);
      this.#started.reject(new SidecarError('STOPPED', 'The sidecar was stopped by stop().'));
      this.#announcer.tell([...this.#mirror.ended('sidecar-stopped'), this.#moved('stop')]);
      return;
    } else {
      this.#stopped = deferred();
      this.#run.stop();
      this.#announcer.tell([...this.#mirror.stopAsked(), this.#moved('stop')]);
    }
    return this.#stopped.promise;
  }

  /** As stop(), but never by force: somebody else may be stopping the sidecar already. */
  stopOnce() {
    return this.#state === 'stopping' ? this.#stopped.promise : this.stop();
  }

  /** As stopOnce(), and by force after a second: neither a system nor an installer waits. */
  stopFast() {
    this.#deadlines.resume();
    if (this.#run !== undefined) this.#run.hurry();
    return this.stopOnce();
  }

  /** As stopOnce(), for good. */
  async dispose() {
    this.#isDisposed = true;
    await this.stopOnce();
    this.#releasePipes();
  }

  /** The system is about to sleep; a stop under way goes on after it, told of the wake-up or not. */
  suspend() {
    if (this.#state !== 'stopping') this.#deadlines.suspend();
  }

  /** The system woke up: a sidecar that was given up gets one more process. */
  systemResumed() {
    this.#deadlines.resume();
    if (this.#isDisposed || this.#state !== 'failed') return;
    if (this.#failure === undefined || this.#failure.code !== 'CRASH_LOOP') return;
    this.#started = deferred();
    this.#startRun();
  }

  /**
   * @param {string} method
   * @param {object | undefined} params
   * @param {import('../rpc/client.cjs').RequestOptions} options
   * @returns {Promise<any>} as Run.request()
   */
  async request(method, params, options) {
    this.#refuseIfDisposed(`"${method}"`);
    if (this.#state === 'stopping') {
      throw new SidecarError('STOPPED', `"${method}" was not sent: the sidecar is being stopped.`);
    }
    const forget = this.#remember(method, params);
    if (this.#run === undefined) {
      const cure = this.#state === 'backoff' ? 'It is started again soon.' : 'Call start() first.';
      throw new SidecarError(
        'NOT_READY',
        `"${method}" was not sent: the sidecar does not run (${this.#state}). ${cure}`,
      );
    }
    // The whole target: this process may never have been told of it.
    const sent = method === METHODS.connect ? this.#connectParams() : params;
    const answer = this.#run.request(method, sent, options);
    answer.catch((error) => {
      // A join that failed goes on; any other refusal changed nothing.
      if (error instanceof RpcError && error.code !== ERRORS.CONNECT_FAILED) forget();
    });
    return answer;
  }

  /**
   * Asks for the sessions, and takes the answer into the mirror as soon as it is read.
   * @param {import('../rpc/client.cjs').RequestOptions} options
   */
  async refresh(options) {
    const onResult = (/** @type {unknown} */ listing) => this.#intake.takeListing(listing);
    await this.request(METHODS.listSessions, undefined, { ...options, onResult });
  }

  /**
   * Keeps what the app asks for, so that a restart goes on there. At once, since a crash may come
   * before the answer.
   *
   * @param {string} method
   * @param {object | undefined} params
   * @returns {() => void} takes it back
   */
  #remember = (method, params) => {
    const [target, isOut] = [this.#target, this.#isOut];
    if (method === METHODS.disconnect) this.#aim(target, true);
    else if (method === METHODS.connect && this.#run) this.#aim(over(target, params), false);
    const now = this.#target;
    return () => {
      if (this.#target === now) this.#aim(target, isOut);
    };
  };

  /**
   * @param {import('../../index').ConnectOptions} target
   * @param {boolean} isOut
   */
  #aim = (target, isOut) => {
    this.#target = target;
    this.#isOut = isOut;
  };

  #startRun = () => {
    this.#deadlines.clear(this.#restart);
    this.#logs.forget();
    this.#releasePipes();
    this.#releasePipes = holdBrokenPipes([process.stdout, process.stderr]);
    /** @type {Run} */
    let run;
    try {
      const { electron, requireSingleInstanceLock, startTimeoutMs } = this.#options;
      if (requireSingleInstanceLock) refuseSecondInstance(electron);
      run = new Run(
        {
          launch: resolveLaunch(this.#options),
          startTimeoutMs,
          inheritance: this.#mirror.begin(),
          answers: this.#answers,
          logs: this.#logs,
          deadlines: this.#deadlines,
        },
        {
          onResumeRefused: () => {
            this.#announcer.tell(this.#mirror.resumeRefused());
            return this.#mirror.begin();
          },
          onReady: () => this.#onReady(run),
          onNotification: (method, params) => this.#intake.takeNotification(method, params, run),
          onEnded: (end) => this.#onEnded(end),
        },
      );
    } catch (error) {
      this.#fail(/** @type {SidecarError} */ (error), []);
      return;
    }
    this.#run = run;
    this.#releaseQuit = holdQuit(this.#options.electron || {}, {
      stop: () => this.stopOnce(),
      stopFast: () => this.stopFast(),
      killNow: () => run.killNow(),
    });
    this.#announcer.tell([this.#moved('start')]);
  };

  /** @returns {import('../../index').ConnectOptions} */
  #connectParams = () => {
    const { electron, getToken } = this.#options;
    const folder = () => electron && existingUserData(electron.app);
    const warn = (/** @type {string} */ text) => this.#logs.report('warning', text);
    return withIdentity(this.#target, getToken !== undefined, folder, warn);
  };

  /** @param {Run} run */
  #onReady = (run) => {
    this.#wasReady = true;
    this.#announcer.tell([this.#moved('ready')]);
    this.#started.resolve();
    if (this.#isOut) return;
    const params = this.#connectParams();
    run.connect(params);
    // With a getToken, a given token is for the first join alone.
    const { token, ...lasting } = params;
    if (this.#options.getToken !== undefined) this.#target = lasting;
  };

  /** @param {import('./run.cjs').RunEnd} end */
  #onEnded = ({ error, exit }) => {
    this.#run = undefined;
    this.#releaseQuit();
    const tail = this.#logs.tail();
    /** @type {(willRestart: boolean) => Announcement[]} */
    const told = (willRestart) =>
      exit === null ? [] : [{ name: 'exit', event: { ...exit, stderrTail: tail, willRestart } }];
    if (this.#state === 'stopping') {
      const stopped = this.#stopped; // a listener may start and stop it again
      const ended = [...this.#mirror.ended('sidecar-stopped'), this.#moved('ended')];
      this.#started.reject(error);
      this.#announcer.tell([...ended, ...told(false)]);
      stopped.resolve();
      return;
    }
    const mayRestart = this.#wasReady && RESTARTABLE.includes(error.code);
    const decision = mayRestart ? this.#restarts.decide(performance.now()) : { reason: 'off' };
    if ('reason' in decision) {
      this.#fail(decision.reason === 'loop' ? crashLoop(error) : error, told(false));
      return;
    }
    if (this.#state === 'ready') this.#started = deferred();
    const { delayMs } = decision;
    this.#logs.report('error', `${error.message} It is started again in ${delayMs} ms.`);
    this.#restart = this.#deadlines.set(delayMs, () => this.#startRun());
    const moved = this.#moved('crashed', { error, retryInMs: delayMs });
    this.#announcer.tell([...this.#mirror.crashed(), moved, ...told(true)]);
  };

  /**
   * @param {SidecarError} error
   * @param {readonly Announcement[]} told
   */
  #fail = (error, told) => {
    this.#failure = error;
    this.#logs.report('error', `There is no sidecar: ${error.message}`);
    const failed = [...this.#mirror.ended('sidecar-exited'), this.#moved('failed', { error })];
    this.#started.reject(error);
    this.#announcer.tell([...failed, ...told]);
  };

  /**
   * @param {import('./restarts.cjs').ProcessEvent} happened
   * @param {{error?: SidecarError, retryInMs?: number}} [facts]
   * @returns {Announcement}
   */
  #moved = (happened, facts) => {
    const previousState = this.#state;
    this.#state = nextState(previousState, happened);
    return { name: 'process-state', event: { state: this.#state, previousState, ...facts } };
  };

  /** @param {string} what */
  #refuseIfDisposed = (what) => {
    if (!this.#isDisposed) return;
    throw new SidecarError(
      'STOPPED',
      `${what} is refused: dispose() was called. Make a new one with createSidecar().`,
    );
  };
}

/**
 * @param {import('../../index').ElectronLike | undefined} electron
 * @throws {SidecarError} BUSY, when another instance of the app has the lock, or none asked for it
 */
function refuseSecondInstance(electron) {
  const { app } = Object(electron);
  if (!app || !app.hasSingleInstanceLock || app.hasSingleInstanceLock()) return;
  throw new SidecarError(
    'BUSY',
    'No sidecar was started: this instance of the app does not hold the single-instance lock.',
    {
      fix:
        'Call `app.requestSingleInstanceLock()` first, and `app.exit(0)` where it gives false (not ' +
        '`app.quit()`, after which `whenReady` still comes); or leave `requireSingleInstanceLock` out.',
    },
  );
}

/**
 * @param {import('../../index').ConnectOptions} target of before
 * @param {any} params of `connect`, over it
 * @returns {any} the target of now: a token takes the place of a key with its secret, and so on
 */
function over({ token, apiKey, apiSecret, ...where }, params) {
  const given = present(params);
  const isByRight = given.token !== undefined || given.apiSecret !== undefined;
  return { ...where, ...(isByRight ? {} : present({ token, apiKey, apiSecret })), ...given };
}

/** @param {any} values */
function present(values) {
  const isPresent = (/** @type {[string, unknown]} */ [, value]) =>
    value !== undefined && value !== null;
  return Object.fromEntries(Object.entries(Object(values)).filter(isPresent));
}

module.exports = { Supervisor };
