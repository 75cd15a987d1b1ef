'use strict';

/**
 * Owns the JSON-RPC 2.0 conversation of one run: ids, pending requests, deadlines, aborts, and the
 * answers to what the sidecar asks. Knows how to write a frame and gets lines; knows no process, no
 * stream and no method.
 */

const { RpcError, SidecarError, attempt } = require('../errors.cjs');
const { ERRORS, MAX_LINE_BYTES } = require('../protocol.cjs');

/** Requests that the sidecar has not read yet; beyond it the app outruns a stuck process. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** Milliseconds for an answer of the app; a token endpoint that takes longer is as good as down. The
 * sidecar waits for 30 s. */
const ANSWER_WITHIN_MS = 20 * 1000;
/** The app's own code failed (JSON-RPC 2.0, section 5.1, leaves this code to the server). */
const ANSWER_FAILED = -32000;
const LATE = 'It may still be carried out. Give a longer timeoutMs, or look into the log.';
/** How much of a line that is no JSON-RPC goes into the log. */
const SHOWN_CHARACTERS = 200;

/**
 * @typedef {object} Pending
 * @property {Buffer | null} held the frame, while it waits for release()
 * @property {(error: Error | undefined, result?: any) => void} end
 *
 * @typedef {object} RequestOptions
 * @property {number} timeoutMs
 * @property {import('../../index').AbortSignalLike} [signal]
 * @property {boolean} [ahead] write it at once, past the requests that are held and that wait: the
 *   bridge's own, few and small
 * @property {(result: any) => void} [onResult] is called synchronously with the result, before the
 *   next line is handled; a promise would run later. Must not throw.
 *
 * @typedef {(params: any) => Promise<any>} Answer to a request of the sidecar
 */

/**
 * Holds every request until release(), except those sent `ahead`.
 *
 * @typedef {ReturnType<typeof rpcClient>} RpcClient
 *
 * @param {object} ports
 * @param {(frame: Buffer, done: () => void) => void} ports.write calls `done` once the
 *   frame was handed to the system, or never will be. The client treats both the same: the owner of
 *   the process ends a process that does not read, and calls rejectAll().
 * @param {(method: string, params: any) => void} ports.onNotification must not throw
 * @param {(problem: string) => void} ports.onOddLine gets a sentence for the log
 * @param {import('../time.cjs').Deadlines} ports.deadlines
 * @param {Readonly<Record<string, Answer>>} ports.answers by method
 */
function rpcClient({ write, onNotification, onOddLine, deadlines, answers }) {
  /** @type {Map<number, Pending>} */
  const pending = new Map();
  let lastId = 0;
  let waitingBytes = 0;
  let isHolding = true;
  /** @type {Set<import('../time.cjs').Deadline>} of each request that the sidecar waits for */
  const asked = new Set();

  /**
   * Asks the sidecar. The deadline runs from this call, also while the request is held.
   *
   * @param {string} method
   * @param {object | undefined} params by name
   * @param {RequestOptions} options
   * @returns {Promise<any>} the result; rejects with RpcError, or SidecarError TIMEOUT, ABORTED,
   *   BUSY and whatever rejectAll() gives; with TypeError when params are no JSON
   */
  function request(method, params, { timeoutMs, signal, ahead = false, onResult }) {
    // An error is made in a timer or a reader, whose stack tells nothing.
    const caller = { stack: '' };
    Error.captureStackTrace(caller, request);
    return new Promise((resolve, reject) => {
      const aborted = () => {
        const cause = signal && signal.reason;
        return new SidecarError('ABORTED', `"${method}" was aborted by its signal.`, { cause });
      };
      if (signal && signal.aborted) throw aborted();
      const id = lastId + 1;
      const frame = frameOf({ id, method, params });
      refuseWhatDoesNotFit(method, frame.length, ahead);
      lastId = id;

      const onAbort = () => settle(id, aborted());
      if (signal) signal.addEventListener('abort', onAbort);
      const late = `"${method}" was not answered within ${timeoutMs} ms. ${LATE}`;
      const onLate = () => settle(id, new SidecarError('TIMEOUT', late));
      const deadline = deadlines.set(timeoutMs, onLate);
      const end = (/** @type {Error | undefined} */ error, /** @type {any} */ result) => {
        deadlines.clear(deadline);
        if (signal) signal.removeEventListener('abort', onAbort);
        if (error !== undefined) return reject(error);
        if (onResult) onResult(result);
        resolve(result);
      };
      const entry = { held: frame, end };
      pending.set(id, entry);
      waitingBytes += frame.length;
      if (ahead || !isHolding) send(entry);
    }).catch((error) => {
      error.stack = caller.stack.replace(/^.*/, () => String(error));
      throw error;
    });
  }

  /** Writes the requests held so far, in their order, and holds no more. */
  function release() {
    isHolding = false;
    for (const entry of pending.values()) send(entry);
  }

  /**
   * Takes one line of the sidecar's stdout.
   * @param {string} line
   */
  function handleLine(line) {
    const given = Object(attempt(() => JSON.parse(line)));
    const { jsonrpc, id, method, params, result, error } = given;
    const { code, message, data } = Object(error);
    const shown = line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
    const odd = (/** @type {string} */ what) => onOddLine(`The sidecar wrote ${what}: ${shown}`);
    if (jsonrpc !== '2.0') odd('a line that is not JSON-RPC 2.0');
    else if (typeof method === 'string' && id === undefined) onNotification(method, params);
    else if (typeof method === 'string') answer(id, method, params);
    else if (error === undefined && result === undefined) odd('neither response nor notification');
    else if (!Number.isInteger(id) || id < 1 || id > lastId) odd('an answer to what was not asked');
    else if (error === undefined) settle(id, undefined, result);
    else settle(id, new RpcError(code, String(attempt(() => String(message))), data));
  }

  /**
   * Fails every request that has no answer yet; each gets an error of its own.
   * @param {() => Error} makeError
   */
  function rejectAll(makeError) {
    for (const id of pending.keys()) settle(id, makeError());
    for (const deadline of asked) deadlines.clear(deadline);
    asked.clear();
  }

  /**
   * @param {unknown} id of the sidecar's request
   * @param {string} method
   * @param {unknown} params
   */
  function answer(id, method, params) {
    const ask = new Map(Object.entries(answers)).get(method);
    if (ask === undefined) {
      const message = `The client has no method "${method}".`;
      sendAnswer(id, { error: { code: ERRORS.METHOD_NOT_FOUND, message } });
      return;
    }
    const respond = (/** @type {object} */ given) => {
      if (!asked.delete(deadline)) return; // too late
      deadlines.clear(deadline);
      sendAnswer(id, given);
    };
    const fail = (/** @type {any} */ error) => {
      const { message } = Object(error);
      respond({ error: { code: ANSWER_FAILED, message: String(attempt(() => String(message))) } });
    };
    const late = `${method} failed: the app gave no answer within ${ANSWER_WITHIN_MS} ms`;
    const deadline = deadlines.set(ANSWER_WITHIN_MS, () => fail(new Error(late)));
    asked.add(deadline);
    ask(params).then((result = null) => respond({ result }), fail);
  }

  /**
   * @param {unknown} id
   * @param {object} given
   */
  function sendAnswer(id, given) {
    const frame = attempt(() => frameOf({ id, ...given }));
    const isSendable = frame !== undefined && frame.length <= MAX_LINE_BYTES;
    const message = `The answer cannot be sent: no JSON, or longer than ${MAX_LINE_BYTES} bytes.`;
    const error = { code: ANSWER_FAILED, message };
    write(isSendable ? frame : frameOf({ id, error }), () => {});
  }

  /** @param {Pending} entry that is written unless it was before */
  function send(entry) {
    const frame = entry.held;
    if (frame === null) return;
    entry.held = null;
    write(frame, () => {
      waitingBytes -= frame.length;
    });
  }

  /**
   * The one way out of the pending map. An answer that comes after a deadline or an abort finds
   * nothing here, and that is all.
   *
   * @param {number} id
   * @param {Error | undefined} error
   * @param {any} [result] when there is no error
   */
  function settle(id, error, result) {
    const entry = pending.get(id);
    if (entry === undefined) return;
    pending.delete(id);
    if (entry.held !== null) waitingBytes -= entry.held.length;
    entry.end(error, result);
  }

  /**
   * @param {string} method
   * @param {number} bytes
   * @param {boolean} ahead
   */
  function refuseWhatDoesNotFit(method, bytes, ahead) {
    if (bytes > MAX_LINE_BYTES) {
      const fix = `Send less at once: a request may have ${MAX_LINE_BYTES} bytes.`;
      throw new RpcError(-32600, `The request "${method}" has ${bytes} bytes.`, { fix });
    }
    // A single large request may pass when nothing else waits; else it never could.
    if (!ahead && waitingBytes > 0 && waitingBytes + bytes > MAX_WAITING_BYTES) {
      const problem = `"${method}" was not sent: the sidecar has ${waitingBytes} bytes to read.`;
      const fix = 'Wait for the answers of earlier requests before sending more.';
      throw new SidecarError('BUSY', problem, { fix });
    }
  }

  return { request, release, handleLine, rejectAll };
}

/** @param {object} message */
function frameOf(message) {
  return Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

module.exports = { MAX_WAITING_BYTES, rpcClient };
