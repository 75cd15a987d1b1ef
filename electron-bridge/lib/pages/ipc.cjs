'use strict';

/**
 * Owns the main process's end of window.clara: one handler for each channel, each behind the check
 * of its sender and of its argument, and the events for the pages that subscribed.
 *
 * A page's subscription is answered and entered in one turn, so that its events begin exactly
 * behind the snapshot; each carries the seq it stands at, by which the preload drops a double.
 */

const { METHODS, NOTIFICATIONS } = require('../protocol.cjs');
const {
  Refusal,
  claraError,
  connectionOptions,
  plainError,
  sessionId,
  topic,
} = require('./arguments.cjs');
const { PageSender, allowedPages } = require('./sender.cjs');
const { CHANNELS, EVENTS, PageSubscriptions, TOPICS } = require('./subscriptions.cjs');

/**
 * @typedef {import('../../index').IpcMainLike} IpcMainLike
 * @typedef {import('../../index').IpcCallLike} IpcCallLike
 * @typedef {import('../../preload').SessionsSnapshot} SessionsSnapshot
 * @typedef {import('../../protocol').AgentSession} AgentSession
 * @typedef {import('../../protocol').ConnectionParams} ConnectionParams
 * @typedef {import('../../protocol').ConnectionDetails} ConnectionDetails
 *
 * @typedef {object} Calls
 * @property {readonly AgentSession[]} sessions
 * @property {(options: ConnectionParams) => Promise<ConnectionDetails>} createConnection
 * @property {(sessionId: string) => Promise<AgentSession>} closeSession
 *
 * @typedef {Pick<import('../../index').Sidecar, 'on' | 'off' | 'processState' | 'request'> & Calls} Served
 *
 * @typedef {object} Wiring
 * @property {IpcMainLike} ipcMain
 * @property {{getAppPath(): string}} app
 * @property {readonly string[]} [allowedOrigins]
 * @property {import('../../index').PageRules} [rules]
 * @property {Served} sidecar
 * @property {() => void} online a page's network is back
 * @property {() => number} seq the mirror's seq, of the last event that `sidecar.sessions` includes
 * @property {() => import('../../preload').AgentStatus} status
 * @property {(problem: string) => void} [warn] gets a sentence for the log
 */

/** Pages whose refusal is logged, so that a page that tries addresses cannot fill the log. */
const MAX_REFUSED = 100;

class RendererIpc {
  #ipcMain;
  #sidecar;
  #seq;
  #sender;
  #origins;
  #rules;
  #warn;
  #subscriptions = new PageSubscriptions();
  #status;
  /** Counts what was told of the agent: the process's own changes have no seq. */
  #statusVersion = 0;
  /** @type {string[]} */
  #handled = [];
  /** @type {Set<string>} the pages whose refusal was logged */
  #refused = new Set();

  /**
   * @param {Wiring} wiring
   * @throws {Error} when another sidecar of this app serves window.clara already
   */
  constructor(wiring) {
    const { ipcMain, app, allowedOrigins, rules, sidecar, seq, status, online, warn } = wiring;
    this.#ipcMain = ipcMain;
    this.#sidecar = sidecar;
    this.#seq = seq;
    this.#status = status;
    this.#rules = rules || {};
    this.#warn = warn || (() => {});
    this.#origins = allowedOrigins;
    this.#handleAll(online);
    this.#sender = new PageSender(ipcMain, allowedPages(app.getAppPath(), allowedOrigins));
    for (const [name, listener] of this.#listeners) sidecar.on(name, listener);
  }

  /** Takes the handlers away; pages that are subscribed wait for the next sidecar. */
  dispose() {
    for (const channel of this.#handled.splice(0)) this.#ipcMain.removeHandler(channel);
    for (const [name, listener] of this.#listeners) this.#sidecar.off(name, listener);
    this.#sender.dispose();
    this.#subscriptions.clear(EVENTS.ended);
  }

  /** @param {() => void} online */
  #handleAll = (online) => {
    this.#handle(CHANNELS.listSessions, () => this.#snapshot());
    this.#handle(CHANNELS.getStatus, () => this.#fullStatus());
    this.#handle(CHANNELS.createConnection, async (_, options) => {
      const { createConnection: rule } = this.#rules;
      if (rule === false) throw new Refusal('createConnection');
      const wanted = connectionOptions(options);
      return this.#sidecar.createConnection(rule ? await rule(wanted) : wanted);
    });
    this.#handle(CHANNELS.closeSession, (_, id) => {
      if (this.#rules.closeSession === false) throw new Refusal('closeSession');
      return this.#sidecar.closeSession(sessionId(id));
    });
    this.#handle(CHANNELS.subscribe, ({ sender }, name) => {
      const wanted = topic(name);
      this.#subscriptions.add(sender, wanted);
      return wanted === TOPICS.sessions
        ? { version: this.#seq(), value: this.#snapshot() }
        : { version: this.#statusVersion, value: this.#status() };
    });
    this.#handle(CHANNELS.unsubscribe, ({ sender }, name) => {
      this.#subscriptions.delete(sender, topic(name));
    });
    this.#handle(CHANNELS.online, () => online());
  };

  /**
   * @param {string} channel
   * @param {(call: IpcCallLike, argument: unknown) => unknown} answer
   */
  #handle = (channel, answer) => {
    try {
      this.#ipcMain.handle(channel, async (call, argument) => {
        try {
          // No await where none is needed: calls of a page keep their order.
          const isAllowed = this.#sender.isAllowed(call);
          if (!(isAllowed === true || (await isAllowed)))
            return { ok: false, error: this.#denial(call) };
          return { ok: true, value: await answer(call, argument) };
        } catch (error) {
          return { ok: false, error: plainError(error) };
        }
      });
    } catch (cause) {
      for (const each of this.#handled.splice(0)) this.#ipcMain.removeHandler(each);
      throw new Error(
        'createSidecar: another sidecar of this app serves window.clara already. Call its ' +
          'dispose() first, or leave `ipcMain` out of `electron` for this one. ' +
          `(${cause instanceof Error ? cause.message : cause})`,
      );
    }
    this.#handled.push(channel);
  };

  /** @param {IpcCallLike} call */
  #denial = ({ sender, senderFrame }) => {
    const pages = this.#origins ? this.#origins.join(', ') : "the app's own files";
    const message = `window.clara is for the main frame of a page of ${pages} alone.`;
    const fix = 'Add the origin of the page to `allowedOrigins` of createSidecar.';
    const page = senderFrame ? senderFrame.url : sender.isDestroyed() ? '' : sender.getURL();
    if (!this.#refused.has(page) && this.#refused.size < MAX_REFUSED) {
      this.#refused.add(page);
      this.#warn(`A page was refused, ${page}: ${message} ${fix}`);
    }
    return claraError('DENIED', message, fix);
  };

  /** @returns {SessionsSnapshot} */
  #snapshot = () => ({ sessions: [...this.#sidecar.sessions], seq: this.#seq() });

  /** @returns {Promise<import('../../preload').ClaraStatus>} */
  #fullStatus = async () => {
    let wire = {};
    if (this.#sidecar.processState === 'ready') {
      try {
        const { epoch, ...told } = await this.#sidecar.request(METHODS.getStatus);
        wire = told;
      } catch (error) {
        // The process may end while it is asked; then there is what is known without it.
        if (this.#sidecar.processState === 'ready') throw error;
      }
    }
    const { error, ...status } = this.#status();
    return {
      ...(error !== undefined && { lastError: error }),
      ...wire,
      ...status,
      sessions: this.#sidecar.sessions.length,
      seq: this.#seq(),
    };
  };

  #tellStatus = () => {
    this.#statusVersion += 1;
    this.#publish(TOPICS.agent, this.#statusVersion, this.#status());
  };

  /**
   * What it hears of the sidecar, and what that becomes for the pages. The list of sessions does not
   * go along: the preload keeps it.
   * @type {Array<[any, (event: any) => void]>}
   */
  #listeners = [
    [NOTIFICATIONS.SessionCreated, (event) => this.#tellSession('created', event)],
    [NOTIFICATIONS.SessionUpdated, (event) => this.#tellSession('updated', event)],
    [NOTIFICATIONS.SessionClosed, (event) => this.#tellSession('closed', event)],
    [NOTIFICATIONS.AgentStateChanged, this.#tellStatus],
    ['process-state', this.#tellStatus],
  ];

  /**
   * @param {'created' | 'updated' | 'closed'} type
   * @param {any} event
   */
  #tellSession = (type, { session, seq, reason }) => {
    const change = { type, session, seq, ...(type === 'closed' && { reason }) };
    this.#publish(TOPICS.sessions, seq, change);
  };

  /**
   * @param {string} topic
   * @param {number} version
   * @param {unknown} change
   */
  #publish = (topic, version, change) => {
    this.#subscriptions.publish(topic, EVENTS.published, topic, version, change);
  };
}

module.exports = { RendererIpc };
