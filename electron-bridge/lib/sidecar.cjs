'use strict';

/** Owns what the app holds in its hands, and puts the parts behind it together. Decides nothing. */

const { proxyAnswer, tokenAnswer } = require('./answers.cjs');
const { absence, findElectron } = require('./electron/objects.cjs');
const preload = require('./electron/preload-path.cjs');
const { watchSystem } = require('./electron/system.cjs');
const { logLines } = require('./logs.cjs');
const { checkRequest, checkedOptions } = require('./options.cjs');
const { servePages } = require('./pages/ipc.cjs');
const { supervise } = require('./process/supervisor.cjs');
const { CLIENT_REQUESTS, METHODS } = require('./protocol.cjs');
const { Announcer } = require('./sessions/events.cjs');
const { Mirror } = require('./sessions/mirror.cjs');
const { Deadlines } = require('./time.cjs');

/**
 * @param {import('../index').SidecarOptions} given
 * @returns {import('../index').Sidecar}
 */
function createSidecar(given) {
  const options = checkedOptions(given, findElectron);
  const { electron, getToken, proxy, requestTimeoutMs } = options;
  const epoch = Math.random().toString(16).slice(2); // no secret; `crypto` is slow to load
  const tellBug = (/** @type {string} */ problem) => logs.tellLogger('error', problem);
  /** @type {Announcer} */
  const announcer = new Announcer(tellBug, () => supervisor.room());
  const logs = logLines(options.logger, (event) => announcer.tell([{ name: 'log', event }]));
  const warn = (/** @type {string} */ problem) => logs.report('warning', problem);
  const deadlines = new Deadlines();
  const mirror = new Mirror(epoch, Date.now, deadlines);
  const answers = {
    ...(getToken && { [CLIENT_REQUESTS.getToken]: tokenAnswer(getToken) }),
    ...(proxy && { [CLIENT_REQUESTS.resolveProxy]: proxyAnswer(proxy, { ...electron, warn }) }),
  };
  /** @type {import('./process/supervisor.cjs').Supervisor} */
  const supervisor = supervise(options, { logs, mirror, announcer, deadlines, answers });
  /** The parts of Electron that are absent: a sentence for the log at the first start, then null. */
  let absent = given.electron === false ? null : absence(electron);

  /**
   * @param {string} method
   * @param {object} [params]
   * @param {import('../index').RequestOptions} [limits]
   * @returns {Promise<any>}
   */
  const request = async (method, params, limits = {}) => {
    checkRequest(method, params, limits);
    const { timeoutMs = requestTimeoutMs, signal } = limits;
    return supervisor.request(method, params, { timeoutMs, signal });
  };

  /** @type {(how: 'on' | 'once' | 'off') => import('../index').Sidecar['on']} */
  const change = (how) => (name, listener) => {
    announcer.change(how, name, listener);
    return sidecar;
  };

  /** @type {import('../index').Sidecar} */
  const sidecar = {
    get processState() {
      return supervisor.state;
    },
    get agentState() {
      return announcer.status.agentState;
    },
    get status() {
      return announcer.status;
    },
    get sessions() {
      return announcer.sessions;
    },
    preloadPath: preload.preloadPath,
    installPreload: preload.installPreload,
    start() {
      if (absent !== null) logs.report('info', absent);
      absent = null;
      return supervisor.start();
    },
    stop: () => supervisor.stop(),
    dispose() {
      for (const end of endings.splice(0)) end();
      return supervisor.dispose();
    },
    request,
    async listSessions() {
      await supervisor.refresh({ timeoutMs: requestTimeoutMs });
      return { sessions: announcer.sessions, seq: announcer.seq, epoch };
    },
    createConnection: (connection) => request(METHODS.createConnection, connection),
    closeSession: (sessionId) => request(METHODS.closeSession, { sessionId }),
    connect: (params) => request(METHODS.connect, params),
    disconnect: () => request(METHODS.disconnect),
    getStatus: () => request(METHODS.getStatus),
    wake: (reason = 'network-online') => request(METHODS.wake, { reason }),
    diagnose: () => request(METHODS.diagnose),
    on: change('on'),
    once: change('once'),
    off: change('off'),
    removeListener: change('off'), // Node's events.once() needs it
  };

  /** @type {(() => void)[]} */
  const endings = [];
  if (electron && electron.ipcMain) {
    if (!Object(options.pages).ownPreload) preload.checkPreload('createSidecar');
    endings.push(
      servePages({ ...options, electron }, sidecar, announcer, warn),
      preload.watchPreload(electron.app, warn),
    );
  }
  if (electron) endings.push(watchSystem(electron, supervisor, sidecar));
  return sidecar;
}

module.exports = { createSidecar };
