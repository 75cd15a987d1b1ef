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

class RpcClient {
  #ports;
  #answers;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #lastId = 0;
  #waitingBytes = 0;
  #isHolding = true;
  /** @type {Set<import('../time.cjs').Deadline>} of each request that the sidecar waits for */
  #asked = new Set();

  /**
   * Holds every request until release(), except those sent `ahead`.
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
  constructor(ports) {
    this.#ports = ports;
    this.#answers = new Map(Object.entries(ports.answers));
  }

  /**
   * Asks the sidecar. The deadline runs from this call, also while the request is held.
   *
   * @param {string} method
   * @param {object | undefined} params by name
   * @param {RequestOptions} options
   * @returns {Promise<any>} the result; rejects with RpcError, or SidecarError TIMEOUT, ABORTED,
   *   BUSY and whatever rejectAll() gives; with TypeError when params are no JSON
   */
  request(method, params, { timeoutMs, signal, ahead = false, onResult }) {
    const { deadlines } = this.#ports;
    // An error is made in a timer or a reader, whose stack tells nothing.
    const caller = { stack: '' };
    Error.captureStackTrace(caller, this.request);
    return new Promise((resolve, reject) => {
      const aborted = () => {
        const cause = signal && signal.reason;
        return new SidecarError('ABORTED', `"${method}" was aborted by its signal.`, { cause });
      };
      if (signal && signal.aborted) throw aborted();
      const id = this.#lastId + 1;
      const frame = frameOf({ id, method, params });
      this.#refuseWhatDoesNotFit(method, frame.length, ahead);
      this.#lastId = id;

      const onAbort = () => this.#settle(id, aborted());
      if (signal) signal.addEventListener('abort', onAbort);
      const late = `"${method}" was not answered within ${timeoutMs} ms. ${LATE}`;
      const onLate = () => this.#settle(id, new SidecarError('TIMEOUT', late));
      const deadline = deadlines.set(timeoutMs, onLate);
      const end = (/** @type {Error | undefined} */ error, /** @type {any} */ result) => {
        deadlines.clear(deadline);
        if (signal) signal.removeEventListener('abort', onAbort);
        if (error !== undefined) return reject(error);
        if (onResult) onResult(result);
        resolve(result);
      };
      const entry = { held: frame, end };
      this.#pending.set(id, entry);
      this.#waitingBytes += frame.length;
      if (ahead || !this.#isHolding) this.#send(entry);
    }).catch((error) => {
      error.stack = caller.stack.replace(/^.*/, () => String(error));
      throw error;
    });
  }

  /** Writes the requests held so far, in their order, and holds no more. */
  release() {
    this.#isHolding = false;
    for (const entry of this.#pending.values()) this.#send(entry);
  }

  /**
   * Takes one line of the sidecar's stdout.
   * @param {string} line
   */
  handleLine(line) {
    const { onNotification, onOddLine } = this.#ports;
    const message = Object(attempt(() => JSON.parse(line)));
    const { jsonrpc, id, method, params, result, error } = message;
    const odd = (/** @type {string} */ what) =>
      onOddLine(`The sidecar wrote ${what}: ${shown(line)}`);
    if (jsonrpc !== '2.0') odd('a line that is not JSON-RPC 2.0');
    else if (typeof method === 'string' && id === undefined) onNotification(method, params);
    else if (typeof method === 'string') this.#answer(id, method, params);
    else if (error === undefined && result === undefined) odd('neither response nor notification');
    else if (!(id > 0 && id <= this.#lastId)) odd('an answer to what was not asked');
    else if (error === undefined) this.#settle(id, undefined, result);
    else this.#settle(id, rpcError(Object(error)));
  }

  /**
   * Fails every request that has no answer yet; each gets an error of its own.
   * @param {() => Error} makeError
   */
  rejectAll(makeError) {
    for (const id of this.#pending.keys()) this.#settle(id, makeError());
    for (const deadline of this.#asked) this.#ports.deadlines.clear(deadline);
    this.#asked.clear();
  }

  /**
   * @param {unknown} id of the sidecar's request
   * @param {string} method
   * @param {unknown} params
   */
  #answer = (id, method, params) => {
    const { deadlines } = this.#ports;
    const ask = this.#answers.get(method);
    if (ask === undefined) {
      const message = `The client has no method "${method}".`;
      this.#respond(id, { error: { code: ERRORS.METHOD_NOT_FOUND, message } });
      return;
    }
    const respond = (/** @type {object} */ answer) => {
      if (!this.#asked.delete(deadline)) return; // too late
      deadlines.clear(deadline);
      this.#respond(id, answer);
    };
    const fail = (/** @type {any} */ error) => {
      const { message } = Object(error);
      respond({ error: { code: ANSWER_FAILED, message: String(message) } });
    };
    const late = `${method} failed: the app gave no answer within ${ANSWER_WITHIN_MS} ms`;
    const deadline = deadlines.set(ANSWER_WITHIN_MS, () => fail(new Error(late)));
    this.#asked.add(deadline);
    ask(params).then((result = null) => respond({ result }), fail);
  };

  /**
   * @param {unknown} id
   * @param {object} answer
   */
  #respond = (id, answer) => {
    const frame = attempt(() => frameOf({ id, ...answer }));
    const isSendable = frame !== undefined && frame.length <= MAX_LINE_BYTES;
    const message = `The answer cannot be sent: no JSON, or longer than ${MAX_LINE_BYTES} bytes.`;
    const error = { code: ANSWER_FAILED, message };
    this.#ports.write(isSendable ? frame : frameOf({ id, error }), () => {});
  };

  /** @param {Pending} entry that is written unless it was before */
  #send = (entry) => {
    const frame = entry.held;
    if (frame === null) return;
    entry.held = null;
    this.#ports.write(frame, () => {
      this.#waitingBytes -= frame.length;
    });
  };

  /**
   * The one way out of the pending map. An answer that comes after a deadline or an abort finds
   * nothing here, and that is all.
   *
   * @param {number} id
   * @param {Error | undefined} error
   * @param {any} [result] when there is no error
   */
  #settle = (id, error, result) => {
    const entry = this.#pending.get(id);
    if (entry === undefined) return;
    this.#pending.delete(id);
    if (entry.held !== null) this.#waitingBytes -= entry.held.length;
    entry.end(error, result);
  };

  /**
   * @param {string} method
   * @param {number} bytes
   * @param {boolean} ahead
   */
  #refuseWhatDoesNotFit = (method, bytes, ahead) => {
    if (bytes > MAX_LINE_BYTES) {
      const fix = `Send less at once: a request may have ${MAX_LINE_BYTES} bytes.`;
      throw new RpcError(-32600, `The request "${method}" has ${bytes} bytes.`, { fix });
    }
    // A single large request may pass when nothing else waits; else it never could.
    if (!ahead && this.#waitingBytes > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      const problem = `"${method}" was not sent: the sidecar has ${this.#waitingBytes} bytes to read.`;
      const fix = 'Wait for the answers of earlier requests before sending more.';
      throw new SidecarError('BUSY', problem, { fix });
    }
  };
}

/** @param {object} message */
function frameOf(message) {
  return Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

/** @param {any} error of a response */
function rpcError({ code, message, data }) {
  return new RpcError(code, String(message), data);
}

/** @param {string} line */
function shown(line) {
  return line.length <= SHOWN_CHARACTERS ? line : `${line.slice(0, SHOWN_CHARACTERS)}…`;
}

module.exports = { MAX_WAITING_BYTES, RpcClient };
