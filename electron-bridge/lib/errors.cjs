'use strict';

/**
 * Owns the two error classes of the public API and nothing else: what went wrong between the app
 * and its sidecar (SidecarError), and what the sidecar answered to a request (RpcError).
 */

/** @typedef {import('../index').SidecarErrorCode} SidecarErrorCode */

/**
 * Every `code` a SidecarError can carry in this version; `index.d.ts` says what each means.
 * @type {readonly SidecarErrorCode[]}
 */
const SIDECAR_ERROR_CODES = Object.freeze([
  'SIDECAR_MISSING',
  'REMOVED',
  'BLOCKED',
  'WRONG_ARCH',
  'BAD_CWD',
  'START_TIMEOUT',
  'VERSION_MISMATCH',
  'EXITED',
  'CRASH_LOOP',
  'STOPPED',
  'BUSY',
  'TIMEOUT',
  'ABORTED',
  'NOT_READY',
]);

/**
 * The sidecar could not run, or could not be asked.
 *
 * `exitCode`, `signal` and `stderrTail` (its last lines on stderr, at most 50) are there when a
 * process stands behind the error; `cause` when another error or an abort reason does.
 */
class SidecarError extends Error {
  /**
   * @param {SidecarErrorCode} code
   * @param {string} message
   * @param {{cause?: unknown, exitCode?: number | null, signal?: string | null,
   *   stderrTail?: readonly string[]}} [facts]
   */
  constructor(code, message, facts = {}) {
    super(message);
    this.code = code;
    // Only what there is: an error is printed with all its members.
    if (facts.exitCode !== undefined) this.exitCode = facts.exitCode;
    if (facts.signal !== undefined) this.signal = facts.signal;
    if (facts.stderrTail !== undefined) this.stderrTail = facts.stderrTail;
    // Not the constructor's `cause` option: Node 12 does not know it.
    if (facts.cause !== undefined) this.cause = facts.cause;
  }
}

/** The sidecar answered a request with a JSON-RPC error object (JSON-RPC 2.0, section 5.1). */
class RpcError extends Error {
  /**
   * @param {number} code
   * @param {string} message
   * @param {{fix?: string, [key: string]: unknown} | undefined} [data]
   */
  constructor(code, message, data) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

for (const type of [SidecarError, RpcError]) {
  Object.defineProperty(type.prototype, 'name', { value: type.name });
}

module.exports = { RpcError, SIDECAR_ERROR_CODES, SidecarError };
