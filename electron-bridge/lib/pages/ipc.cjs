'use strict';

/**
 * Owns the main process's end of window.clara: the calls that a page may make, each behind the check
 * of its sender, and the events for the pages that subscribed. The arguments are the sidecar's to
 * check.
 *
 * A page's subscription is entered, and its snapshot sent, in one turn: its events begin exactly
 * behind the snapshot.
 */

const { performance } = require('perf_hooks');

const { wake } = require('../electron/system.cjs');
const { RpcError, SidecarError, isObject } = require('../errors.cjs');
const { listen } = require('../listeners.cjs');
const { ERRORS, NOTIFICATIONS } = require('../protocol.cjs');
const { makeBudget } = require('./budget.cjs');
const { allowedPages, senderCheck } = require('./sender.cjs');
const { makeTopic } = require('./subscriptions.cjs');

/** With the name of the call and its argument; preload.cjs repeats the name. */
const CALL = 'clara-voice:call';
/** The calls whose argument is an object; the sidecar decides on its members. */
const TAKE_OPTIONS = ['createConnection', 'getConversation', 'listClosedSessions', 'sendText'];
/** The calls that reach the sidecar. It counts `online` itself. */
const COSTLY = ['getStatus', 'closeSession', ...TAKE_OPTIONS];
/** How many refused pages are logged, so that a page that tries addresses cannot fill the log. */
const MAX_REFUSED = 100;

/**
 * @typedef {import('../../index').IpcCallLike} IpcCallLike
 *
 * @typedef {object} Served
 * @property {import('../../index').ElectronLike} electron with `ipcMain`
 * @property {readonly string[]} [allowedOrigins]
 * @property {import('../../index').PageRules} [pages]
 */

/** The call of a page failed for a reason that is neither the sidecar's nor its process's. */
class PageError extends RpcError {}
Object.defineProperty(PageError.prototype, 'name', { value: 'ClaraError' });

/**
 * Serves window.clara to the pages.
 *
 * @param {Served} options
 * @param {import('../../index').Sidecar} sidecar
 * @param {{seq: number, statusForPage(): import('../../preload').AgentStatus}} announcer with the seq of
 *   the last event that `sidecar.sessions` includes
 * @param {(problem: string) => void} warn gets a sentence for the log
 * @returns {() => void} ends that; pages that are subscribed wait for the next sidecar
 * @throws {Error} when another sidecar of this app serves window.clara already
 */
function servePages({ electron, allowedOrigins, pages: rules = {} }, sidecar, announcer, warn) {
  const ipcMain = /** @type {import('../../index').IpcMainLike} */ (electron.ipcMain);
  const isAllowed = senderCheck(ipcMain, allowedPages(electron.app.getAppPath(), allowedOrigins));
  const isWithinBudget = makeBudget(() => performance.now());
  /** @type {Set<string>} the pages whose refusal was logged */
  const refused = new Set();

  /** @returns {import('../../preload').SessionsSnapshot} */
  const listSessions = () => ({ sessions: sidecar.sessions, seq: announcer.seq });
  /** @type {Record<string, ReturnType<typeof makeTopic>>} */
  const topics = {
    sessions: makeTopic('sessions', () => ({ type: 'snapshot', ...listSessions() })),
    agent: makeTopic('agent', () => announcer.statusForPage()),
    events: makeTopic('events', () => null),
    health: makeTopic('health', () => null),
  };

  /** @returns {Promise<import('../../preload').ClaraStatus>} */
  const getStatus = async () => {
    // Where the sidecar gives no answer there is what is known without it.
    const asked = sidecar.processState === 'ready' && sidecar.getStatus();
    const { epoch, ...told } = Object(await Promise.resolve(asked).catch(() => null));
    const { error, ...known } = announcer.statusForPage();
    const counted = { seq: announcer.seq, sessions: sidecar.sessions.length };
    return { ...told, ...known, ...counted, ...(error && { lastError: error }) };
  };

  /**
   * The calls that a page may make. It cannot reach another part of the sidecar.
   * @type {Record<string, (call: IpcCallLike, argument: any) => unknown>}
   */
  const calls = {
    listSessions,
    getStatus,
    createConnection: async (_, options) => {
      if ('replace' in options) {
        const fix = 'Let the rule `createConnection` of `pages` set it.';
        throw new PageError('DENIED', 'createConnection: a page cannot set `replace`.', { fix });
      }
      const { createConnection: rule } = rules;
      return sidecar.createConnection(rule ? await rule(options) : options);
    },
    getConversation: (_, params) => sidecar.request('getConversation', params),
    listClosedSessions: (_, params) => sidecar.request('listClosedSessions', params),
    sendText: (_, params) => sidecar.request('sendText', params),
    closeSession: (_, id) => sidecar.closeSession(id),
    subscribe: ({ sender }, topic) => topics[topic].add(sender),
    unsubscribe: ({ sender }, topic) => topics[topic].remove(sender),
    online: () => wake(sidecar, 'network-online'),
  };

  /** @param {IpcCallLike} call */
  const denial = ({ sender, senderFrame }) => {
    const pages = allowedOrigins ? allowedOrigins.join(', ') : "the app's own files";
    const message = `window.clara is for the main frame of a page of ${pages} alone.`;
    const fix = 'Add the origin of the page to `allowedOrigins` of createSidecar.';
    const page = senderFrame ? senderFrame.url : sender.isDestroyed() ? '' : sender.getURL();
    if (!refused.has(page) && refused.size < MAX_REFUSED) {
      refused.add(page);
      warn(`A page was refused, ${page}: ${message} ${fix}`);
    }
    return new PageError('DENIED', message, { fix });
  };

  /**
   * @param {IpcCallLike} call
   * @param {any} asked the name of the call and its argument
   */
  const answer = async (call, [name, argument = {}]) => {
    try {
      // No await where none is needed: calls of a page keep their order.
      const allowed = isAllowed(call);
      if (!(allowed === true || (await allowed))) throw denial(call);
      if (!Object.keys(calls).includes(name)) throw new Error(`There is no call ${name}.`);
      if (Object(rules)[name] === false) {
        const fix = 'Take the rule out of `pages` of createSidecar if they are meant to.';
        const message = `${name}: this app does not let its pages do that.`;
        throw new PageError('DENIED', message, { fix });
      }
      if (TAKE_OPTIONS.includes(name) && !isObject(argument)) {
        throw new PageError('INVALID_ARGUMENT', `${name}: the options must be an object.`);
      }
      if (COSTLY.includes(name) && !isWithinBudget(call.sender)) {
        const fix = 'Wait for the answers before calling again.';
        throw new PageError('BUSY', `${name}: this page makes too many calls.`, { fix });
      }
      return { ok: true, value: await calls[name](call, argument) };
    } catch (error) {
      return { ok: false, error: plainError(error) };
    }
  };
  try {
    ipcMain.handle(CALL, answer);
  } catch (_) {
    const problem = 'createSidecar: another sidecar of this app serves window.clara already.';
    throw new Error(`${problem} Call its dispose() first, or give this one no \`ipcMain\`.`);
  }

  // The list of sessions does not go along: the preload keeps it.
  const tellSession = (/** @type {string} */ type) => (/** @type {any} */ event) => {
    const { session, seq, reason } = event;
    topics.sessions.publish({ type, session, seq, ...(reason && { reason }) });
  };
  const tellStatus = () => topics.agent.publish(announcer.statusForPage());
  const release = listen(
    [sidecar, NOTIFICATIONS.SessionCreated, tellSession('created')],
    [sidecar, NOTIFICATIONS.SessionUpdated, tellSession('updated')],
    [sidecar, NOTIFICATIONS.SessionClosed, tellSession('closed')],
    [sidecar, NOTIFICATIONS.SessionEvent, (event) => topics.events.publish(event)],
    [sidecar, NOTIFICATIONS.Health, (report) => topics.health.publish(report)],
    [sidecar, NOTIFICATIONS.AgentStateChanged, tellStatus],
    [sidecar, 'process-state', tellStatus],
  );
  return () => {
    release();
    ipcMain.removeHandler(CALL);
    for (const topic of Object.values(topics)) topic.end();
  };
}

/**
 * Electron's IPC keeps only the message of an Error. No stack goes to a page, and no output of the
 * sidecar.
 *
 * @param {any} error
 * @returns {import('../../preload').ClaraError}
 */
function plainError(error) {
  const { name, code, message = String(error), data } = Object(error);
  const isOurs = error instanceof RpcError || error instanceof SidecarError;
  // Of the app's own code: a rule of `pages`, for one.
  if (!isOurs) return { name: 'ClaraError', code: 'UNEXPECTED', message };
  // It was the page's argument that the sidecar refused.
  const isArgument = code === ERRORS.INVALID_PARAMS;
  const kind = isArgument ? { name: 'ClaraError', code: 'INVALID_ARGUMENT' } : { name, code };
  return { ...kind, message, ...(data && { data: { ...data } }) };
}

module.exports = { CALL, servePages };
