'use strict';

/**
 * Owns what the app holds in its hands: checks what it is given, and hands it to the parts that
 * this file puts together. Decides nothing.
 */

const crypto = require('crypto');

const { proxyAnswer, tokenAnswer } = require('./answers.cjs');
const { absence, findElectron } = require('./electron/objects.cjs');
const {
  checkPreload,
  installPreload,
  preloadPath,
  watchPreload,
} = require('./electron/preload-path.cjs');
const { wake, watchPower, watchSessionEnd } = require('./electron/system.cjs');
const { LogLines } = require('./logs.cjs');
const { checkRequest, checkedOptions } = require('./options.cjs');
const { RendererIpc } = require('./pages/ipc.cjs');
const { Supervisor } = require('./process/supervisor.cjs');
const { CLIENT_REQUESTS, METHODS } = require('./protocol.cjs');
const { Outage } = require('./sessions/agent.cjs');
const { Announcer } = require('./sessions/events.cjs');
const { Mirror } = require('./sessions/mirror.cjs');
const { Deadlines } = require('./time.cjs');

/** @typedef {import('../index').Sidecar} SidecarApi */

/** @implements {SidecarApi} */
class Sidecar {
  #options;
  /** @type {Announcer} */
  #announcer;
  /** @type {Supervisor} */
  #supervisor;
  /** @type {(() => void)[]} */
  #endings = [];
  #epoch = crypto.randomBytes(8).toString('hex');
  /** Says what is absent, at the first start. */
  #sayOnce = () => {};

  /** @param {unknown} options */
  constructor(options) {
    this.#options = checkedOptions(options, findElectron);
    this.#announcer = new Announcer(
      (problem) => logs.tellLogger('error', problem),
      () => this.#supervisor.room,
    );
    const announcer = this.#announcer;
    const logs = new LogLines(this.#options.logger, (entry) =>
      announcer.tell([{ name: 'log', event: entry }]),
    );
    const deadlines = new Deadlines();
    const mirror = new Mirror(this.#epoch, Date.now, new Outage(deadlines));
    const parts = { logs, mirror, announcer, deadlines, answers: this.#answers(logs, deadlines) };
    this.#supervisor = new Supervisor(this.#options, parts);
    const report = (/** @type {string} */ problem) => logs.report('warning', problem);
    this.#servePages(report);
    this.#watchSystem();
    const absent = absence(this.#options.electron);
    if (Object(options).electron !== false && absent !== null) {
      this.#sayOnce = () => logs.report('info', absent);
    }
  }

  get processState() {
    return this.#supervisor.state;
  }

  get agentState() {
    return this.#announcer.agentState;
  }

  get status() {
    return this.#announcer.status;
  }

  get sessions() {
    return this.#announcer.sessions;
  }

  get preloadPath() {
    return preloadPath;
  }

  /** @param {import('../index').SessionLike} session */
  installPreload(session) {
    installPreload(session);
  }

  start() {
    this.#sayOnce();
    this.#sayOnce = () => {};
    return this.#supervisor.start();
  }

  stop() {
    return this.#supervisor.stop();
  }

  dispose() {
    for (const end of this.#endings.splice(0)) end();
    return this.#supervisor.dispose();
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @param {import('../index').RequestOptions} [options]
   * @returns {Promise<any>}
   */
  async request(method, params, options = {}) {
    checkRequest(method, params, options);
    const { timeoutMs = this.#options.requestTimeoutMs, signal } = options;
    return this.#supervisor.request(method, params, { timeoutMs, signal });
  }

  async listSessions() {
    await this.#supervisor.refresh({ timeoutMs: this.#options.requestTimeoutMs });
    return { sessions: this.sessions, seq: this.#announcer.seq, epoch: this.#epoch };
  }

  /** @param {import('../index').ConnectionParams} [options] */
  createConnection(options) {
    return this.request(METHODS.createConnection, options);
  }

  /** @param {import('../index').ConnectParams} [params] */
  connect(params) {
    return this.request(METHODS.connect, params);
  }

  disconnect() {
    return this.request(METHODS.disconnect);
  }

  getStatus() {
    return this.request(METHODS.getStatus);
  }

  /** @param {import('../index').WakeParams['reason']} [reason] */
  wake(reason = 'network-online') {
    return this.request(METHODS.wake, { reason });
  }

  diagnose() {
    return this.request(METHODS.diagnose);
  }

  /** @param {string} sessionId */
  closeSession(sessionId) {
    return this.request(METHODS.closeSession, { sessionId });
  }

  /**
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  on(name, listener) {
    this.#announcer.add('on', name, listener);
    return this;
  }

  /**
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  once(name, listener) {
    this.#announcer.add('once', name, listener);
    return this;
  }

  /**
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  off(name, listener) {
    this.#announcer.off(name, listener);
    return this;
  }

  /**
   * As off(); Node's events.once() needs it.
   *
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  removeListener(name, listener) {
    return this.off(name, listener);
  }

  /**
   * What the sidecar may ask, and the answers.
   *
   * @param {LogLines} logs
   * @param {Deadlines} deadlines
   */
  #answers = (logs, deadlines) => {
    const { getToken, proxy, electron } = this.#options;
    const warn = (/** @type {string} */ text) => logs.report('warning', text);
    return {
      ...(getToken && { [CLIENT_REQUESTS.getToken]: tokenAnswer(getToken, deadlines) }),
      ...(proxy && {
        [CLIENT_REQUESTS.resolveProxy]: proxyAnswer(proxy, { ...electron, deadlines, warn }),
      }),
    };
  };

  /** @param {(problem: string) => void} warn */
  #servePages = (warn) => {
    const { electron, allowedOrigins, pages: rules = {} } = this.#options;
    if (electron === undefined || electron.ipcMain === undefined) return;
    const { app, ipcMain } = electron;
    if (!rules.ownPreload) checkPreload('createSidecar');
    const pages = new RendererIpc({
      ipcMain,
      app,
      allowedOrigins,
      rules,
      sidecar: this,
      seq: () => this.#announcer.seq,
      status: () => this.#announcer.statusForPage(),
      online: () => wake(this, 'network-online'),
      warn,
    });
    this.#endings.push(
      () => pages.dispose(),
      watchPreload(app, (problem) => warn(problem)),
    );
  };

  #watchSystem = () => {
    const { app, powerMonitor } = this.#options.electron || {};
    const supervisor = this.#supervisor;
    const onShutdown = () => {
      supervisor.stopFast();
    };
    if (app) this.#endings.push(watchSessionEnd(app, onShutdown));
    if (!app || !powerMonitor) return;
    const onResume = () => {
      supervisor.systemResumed();
      wake(this, 'system-resume');
    };
    const handlers = { onSuspend: () => supervisor.suspend(), onResume, onShutdown };
    this.#endings.push(watchPower({ app, powerMonitor }, handlers));
  };
}

module.exports = { Sidecar };
