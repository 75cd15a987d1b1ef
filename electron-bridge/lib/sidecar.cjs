'use strict';

/**
 * Owns what the app holds in its hands: the states of the sidecar's process, the runs behind
 * them, and the events. Knows neither pipes nor frames.
 */

const EventEmitter = require('events');

const { agentIdentity } = require('./agent-identity.cjs');
const { SidecarError } = require('./errors.cjs');
const { existingUserData, resolveLaunch } = require('./launch.cjs');
const { LogLines, swallowBrokenPipes } = require('./log-lines.cjs');
const { checkRequest, checkedOptions } = require('./options.cjs');
const { nextState } = require('./process-state.cjs');
const { METHODS, NOTIFICATIONS } = require('./protocol.cjs');
const { holdQuit } = require('./quit.cjs');
const { Run } = require('./run.cjs');

/** @type {readonly string[]} */
const NOTIFICATION_EVENTS = Object.freeze(Object.values(NOTIFICATIONS));
/** @type {readonly string[]} */
const EVENTS = Object.freeze([...NOTIFICATION_EVENTS, 'process-state', 'log', 'exit']);

/**
 * @typedef {import('../index').Sidecar} SidecarApi
 * @typedef {import('../index').ProcessState} ProcessState
 * @typedef {import('./process-state.cjs').ProcessEvent} ProcessEvent
 *
 * @typedef {object} Deferred
 * @property {Promise<void>} promise
 * @property {() => void} resolve
 * @property {(error: Error) => void} reject
 */

/** @implements {SidecarApi} */
class Sidecar {
  #options;
  #logs;
  #emitter = new EventEmitter();
  /** @type {ProcessState} */
  #state = 'idle';
  /** @type {import('../index').AgentState} */
  #agentState = 'idle';
  /** @type {Run | undefined} in the states starting, ready and stopping */
  #run;
  #started = deferred();
  #stopped = deferred();

  /** @param {unknown} options */
  constructor(options) {
    this.#options = checkedOptions(options);
    this.#logs = new LogLines(this.#options.logger, (entry) => this.#emit('log', entry));
  }

  get processState() {
    return this.#state;
  }

  get agentState() {
    return this.#agentState;
  }

  async start() {
    if (this.#state === 'ready') return;
    if (this.#state === 'starting') return this.#started.promise;
    if (this.#state === 'stopping') {
      throw new SidecarError(
        'STOPPED',
        'The sidecar is being stopped. Start it after stop() is done.',
      );
    }
    this.#logs.forget();
    swallowBrokenPipes([process.stdout, process.stderr]);
    let launch;
    try {
      launch = resolveLaunch(this.#options);
    } catch (error) {
      this.#move('failed', /** @type {SidecarError} */ (error));
      throw error;
    }
    this.#started = deferred();
    this.#startRun(launch);
    return this.#started.promise;
  }

  async stop() {
    if (this.#state === 'idle') return;
    if (this.#state === 'failed') return this.#move('stop');
    const run = /** @type {Run} */ (this.#run);
    if (this.#state === 'stopping') {
      run.kill();
    } else {
      this.#stopped = deferred();
      run.stop();
      this.#move('stop');
    }
    return this.#stopped.promise;
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @param {import('../index').RequestOptions} [options]
   * @returns {Promise<any>}
   */
  async request(method, params, options = {}) {
    checkRequest(method, params, options);
    if (this.#state === 'stopping') {
      throw new SidecarError('STOPPED', `"${method}" was not sent: the sidecar is being stopped.`);
    }
    if (this.#run === undefined) {
      throw new SidecarError(
        'NOT_READY',
        `"${method}" was not sent: the sidecar does not run (${this.#state}). Call start() first.`,
      );
    }
    const { timeoutMs = this.#options.requestTimeoutMs, signal } = options;
    return this.#run.request(method, params, { timeoutMs, signal });
  }

  listSessions() {
    return this.request(METHODS.listSessions);
  }

  /**
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  on(name, listener) {
    if (!EVENTS.includes(name)) {
      throw new TypeError(`There is no event "${name}". The events are ${EVENTS.join(', ')}.`);
    }
    this.#emitter.on(name, listener);
    return this;
  }

  /**
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  off(name, listener) {
    this.#emitter.removeListener(name, listener);
    return this;
  }

  /** @param {import('./launch.cjs').Launch} launch */
  #startRun = (launch) => {
    const { electron, startTimeoutMs } = this.#options;
    const params = { launch, startTimeoutMs, connect: this.#connectParams(), logs: this.#logs };
    this.#run = new Run(params, {
      onReady: () => {
        this.#move('ready');
        this.#started.resolve();
      },
      onNotification: (method, notification) => this.#onNotification(method, notification),
      onEnded: (end) => {
        releaseQuit();
        this.#onEnded(end);
      },
    });
    const releaseQuit = electron ? holdQuit(electron.app, () => this.#stopOnce()) : () => {};
    this.#move('start');
  };

  /** As stop(), but never by force: the app may be stopping the sidecar already. */
  #stopOnce = () => (this.#state === 'stopping' ? this.#stopped.promise : this.stop());

  #connectParams = () => {
    const { connect, electron } = this.#options;
    // A token alone names its identity itself.
    if (connect.identity !== undefined || connect.apiSecret === undefined) return connect;
    const { identity, warning } = agentIdentity(electron && existingUserData(electron.app));
    if (warning !== undefined) this.#logs.report('warning', warning);
    return { ...connect, identity };
  };

  /**
   * @param {string} method
   * @param {any} params
   */
  #onNotification = (method, params) => {
    if (!NOTIFICATION_EVENTS.includes(method)) return; // of a newer sidecar
    if (method === NOTIFICATIONS.AgentStateChanged) this.#agentState = params.state;
    this.#emit(method, params);
  };

  /** @param {import('./run.cjs').RunEnd} end */
  #onEnded = ({ error, exit }) => {
    const started = this.#started;
    const stopped = this.#stopped;
    this.#run = undefined;
    this.#agentState = 'idle';
    if (this.#state === 'stopping') this.#move('ended');
    else this.#move('failed', error);
    if (exit !== null) {
      this.#emit('exit', { ...exit, stderrTail: this.#logs.tail(), willRestart: false });
    }
    started.reject(error); // without effect on one that was ready
    stopped.resolve();
  };

  /**
   * @param {ProcessEvent} event
   * @param {SidecarError} [error]
   */
  #move = (event, error) => {
    const previousState = this.#state;
    this.#state = nextState(previousState, event);
    this.#emit('process-state', { state: this.#state, previousState, ...(error && { error }) });
  };

  /**
   * A listener's bug is the app's, and must not stop the lines behind this event.
   *
   * @param {string} name
   * @param {object} event
   */
  #emit = (name, event) => {
    for (const listener of this.#emitter.listeners(name)) {
      try {
        listener.call(this, event);
      } catch (error) {
        this.#logs.tellLogger('error', `A listener of "${name}" threw: ${stackOf(error)}`);
      }
    }
  };
}

/**
 * A promise whose rejection may go unheard: whoever waits for it has it from start() or stop().
 * @returns {Deferred}
 */
function deferred() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  made.promise.catch(() => {});
  return made;
}

/** @param {unknown} error */
function stackOf(error) {
  return error instanceof Error ? error.stack : String(error);
}

module.exports = { Sidecar };
