'use strict';

/**
 * Owns what the app holds in its hands: checks what it is given, and hands it to the parts that
 * this file puts together. Decides nothing.
 */

const crypto = require('crypto');

const { Announcer } = require('./announcer.cjs');
const { Deadlines } = require('./deadlines.cjs');
const { LogLines } = require('./log-lines.cjs');
const { Mirror } = require('./mirror.cjs');
const { checkRequest, checkedOptions } = require('./options.cjs');
const { installPreload, preloadPath } = require('./preload-path.cjs');
const { METHODS } = require('./protocol.cjs');
const { RendererIpc } = require('./renderer-ipc.cjs');
const { Supervisor } = require('./supervisor.cjs');

/** @typedef {import('../index').Sidecar} SidecarApi */

/** @implements {SidecarApi} */
class Sidecar {
  #options;
  #announcer;
  #supervisor;
  /** @type {RendererIpc | undefined} with Electron's ipcMain alone */
  #rendererIpc;
  #epoch = crypto.randomBytes(8).toString('hex');

  /** @param {unknown} options */
  constructor(options) {
    this.#options = checkedOptions(options);
    this.#announcer = new Announcer((problem) => logs.tellLogger('error', problem));
    const announcer = this.#announcer;
    const logs = new LogLines(this.#options.logger, (entry) =>
      announcer.tell([{ name: 'log', event: entry }]),
    );
    const mirror = new Mirror(this.#epoch, Date.now);
    const parts = { logs, mirror, announcer, deadlines: new Deadlines() };
    this.#supervisor = new Supervisor(this.#options, parts);
    const { electron, allowedOrigins } = this.#options;
    if (electron === undefined || electron.ipcMain === undefined) return;
    const { app, ipcMain } = electron;
    const seq = () => this.mirrorSeq;
    this.#rendererIpc = new RendererIpc({ ipcMain, app, allowedOrigins, sidecar: this, seq });
  }

  get processState() {
    return this.#supervisor.state;
  }

  get agentState() {
    return this.#announcer.agentState;
  }

  get sessions() {
    return this.#announcer.sessions;
  }

  /** For the bridge's own consumers: the seq of the last event that `sessions` includes. */
  get mirrorSeq() {
    return this.#announcer.seq;
  }

  get preloadPath() {
    return preloadPath;
  }

  /** @param {import('../index').SessionLike} session */
  installPreload(session) {
    installPreload(session);
  }

  start() {
    return this.#supervisor.start();
  }

  stop() {
    return this.#supervisor.stop();
  }

  dispose() {
    if (this.#rendererIpc !== undefined) this.#rendererIpc.dispose();
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
    return { sessions: this.sessions, seq: this.mirrorSeq, epoch: this.#epoch };
  }

  /** @param {import('../index').ConnectionParams} [options] */
  createConnection(options) {
    return this.request(METHODS.createConnection, options);
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
    this.#announcer.on(name, listener);
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
}

module.exports = { Sidecar };
