'use strict';

/**
 * Owns the main process's end of window.clara: one handler for each channel, each behind the check
 * of its sender and of its argument, and the events for the pages that subscribed.
 *
 * A page's subscription is answered and entered in one turn, so that its events begin exactly
 * behind the snapshot; each carries the seq it stands at, by which the preload drops a double.
 */

const { METHODS, NOTIFICATIONS } = require('../protocol.cjs');
const { claraError, connectionOptions, plainError, sessionId, topic } = require('./arguments.cjs');
const { PageSender, allowedPages } = require('./sender.cjs');
const { VoiceStatus } = require('./status.cjs');
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
 * @typedef {Pick<import('../../index').Sidecar, 'on' | 'off' | 'agentState' | 'processState'
 *   | 'request'> & Calls} Served
 *
 * @typedef {object} Wiring
 * @property {IpcMainLike} ipcMain
 * @property {{getAppPath(): string}} app
 * @property {readonly string[]} [allowedOrigins]
 * @property {Served} sidecar
 * @property {() => void} online a page's network is back
 * @property {() => number} seq the mirror's seq, of the last event that `sidecar.sessions` includes
 */

class RendererIpc {
  #ipcMain;
  #sidecar;
  #seq;
  #sender;
  #origins;
  #subscriptions = new PageSubscriptions();
  #status;
  /** Counts what was told of the agent: the process's own changes have no seq. */
  #statusVersion = 0;
  /** @type {string[]} */
  #handled = [];

  /**
   * @param {Wiring} wiring
   * @throws {Error} when another sidecar of this app serves window.clara already
   */
  constructor({ ipcMain, app, allowedOrigins, sidecar, seq, online }) {
    this.#ipcMain = ipcMain;
    this.#sidecar = sidecar;
    this.#seq = seq;
    this.#origins = allowedOrigins;
    this.#handleAll(online);
    this.#sender = new PageSender(ipcMain, allowedPages(app.getAppPath(), allowedOrigins));
    this.#status = new VoiceStatus(sidecar, (status) => {
      this.#statusVersion += 1;
      const version = this.#statusVersion;
      this.#subscriptions.publish(TOPICS.agent, EVENTS.published, TOPICS.agent, version, status);
    });
    sidecar.on(NOTIFICATIONS.SessionCreated, this.#onCreated);
    sidecar.on(NOTIFICATIONS.SessionUpdated, this.#onUpdated);
    sidecar.on(NOTIFICATIONS.SessionClosed, this.#onClosed);
  }

  /** Takes the handlers away; pages that are subscribed wait for the next sidecar. */
  dispose() {
    for (const channel of this.#handled.splice(0)) this.#ipcMain.removeHandler(channel);
    this.#sidecar.off(NOTIFICATIONS.SessionCreated, this.#onCreated);
    this.#sidecar.off(NOTIFICATIONS.SessionUpdated, this.#onUpdated);
    this.#sidecar.off(NOTIFICATIONS.SessionClosed, this.#onClosed);
    this.#status.dispose();
    this.#sender.dispose();
    this.#subscriptions.clear(EVENTS.ended);
  }

  /** @param {() => void} online */
  #handleAll = (online) => {
    this.#handle(CHANNELS.listSessions, () => this.#snapshot());
    this.#handle(CHANNELS.getStatus, () => this.#fullStatus());
    this.#handle(CHANNELS.createConnection, (_, options) =>
      this.#sidecar.createConnection(connectionOptions(options)),
    );
    this.#handle(CHANNELS.closeSession, (_, id) => this.#sidecar.closeSession(sessionId(id)));
    this.#handle(CHANNELS.subscribe, ({ sender }, name) => {
      const wanted = topic(name);
      this.#subscriptions.add(sender, wanted);
      return wanted === TOPICS.sessions
        ? { version: this.#seq(), value: this.#snapshot() }
        : { version: this.#statusVersion, value: this.#status.now() };
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
            return { ok: false, error: this.#denial() };
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

  #denial = () => {
    const pages = this.#origins ? this.#origins.join(', ') : "the app's own files";
    return claraError(
      'DENIED',
      `window.clara is for the main frame of a page of ${pages} alone.`,
      'Add the origin of the page to `allowedOrigins` of createSidecar.',
    );
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
    const { error, ...status } = this.#status.now();
    return {
      ...(error !== undefined && { lastError: error }),
      ...wire,
      ...status,
      sessions: this.#sidecar.sessions.length,
      seq: this.#seq(),
    };
  };

  /** @param {import('../../index').SessionCreated} event */
  #onCreated = ({ session, seq }) => this.#publish({ type: 'created', session, seq });

  /** @param {import('../../index').SessionUpdated} event */
  #onUpdated = ({ session, seq }) => this.#publish({ type: 'updated', session, seq });

  /** @param {import('../../index').SessionClosed} event */
  #onClosed = ({ session, reason, seq }) => this.#publish({ type: 'closed', session, reason, seq });

  /** @param {import('../../preload').SessionsChange} change without the list: the preload keeps it */
  #publish = (change) => {
    this.#subscriptions.publish(
      TOPICS.sessions,
      EVENTS.published,
      TOPICS.sessions,
      change.seq,
      change,
    );
  };
}

module.exports = { RendererIpc };
