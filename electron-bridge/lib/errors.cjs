'use strict';

/**
 * Owns the two error classes of the public API: what went wrong between the app and its sidecar
 * (SidecarError), and what the sidecar answered to a request (RpcError); and the calls of code that
 * may throw.
 */

/** @typedef {import('../index').SidecarErrorCode} SidecarErrorCode */

/** The sidecar could not run, or could not be asked. */
class SidecarError extends Error {
  problem = '';
  /** @type {string | undefined} */
  fix;

  /**
   * @param {SidecarErrorCode} code `index.d.ts` says what each means
   * @param {string} problem
   * @param {{fix?: string, cause?: unknown, exitCode?: number | null, signal?: string | null,
   *   stderrTail?: readonly string[]}} [facts] `fix` is a sentence on what to do, and the end of the
   *   message; `exitCode`, `signal` and `stderrTail` (at most 50 lines) are there when a process
   *   stands behind the error; `cause` when another error or an abort reason does
   */
  constructor(code, problem, facts = {}) {
    const { fix, exitCode, signal, stderrTail, cause } = facts;
    super(fix === undefined ? problem : `${problem} ${fix}`);
    this.code = code;
    // Only what there is, since an error is printed with all its members. `cause` is no option of
    // the constructor here: Node 12 does not know it.
    Object.assign(this, present({ exitCode, signal, stderrTail, cause }));
    // Not shown when the error is printed: they are its message.
    Object.defineProperties(this, {
      problem: { value: problem, enumerable: false },
      fix: { value: fix, enumerable: false },
    });
  }
}

/** The sidecar answered a request with a JSON-RPC error object (JSON-RPC 2.0, section 5.1). */
class RpcError extends Error {
  /**
   * @param {number | string} code a number; the error of a page's call may have a name
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

/**
 * Calls the app's own code, which may throw, or give a promise that rejects.
 *
 * @param {() => unknown} call
 * @param {(error: unknown) => void} [onError] must not throw
 */
function guarded(call, onError = () => {}) {
  try {
    const given = /** @type {any} */ (call());
    if (given && typeof given.then === 'function') given.then(undefined, onError);
  } catch (error) {
    onError(error);
  }
}

/**
 * @template T
 * @param {() => T} call
 * @returns {T | undefined} undefined when it throws
 */
function attempt(call) {
  try {
    return call();
  } catch (error) {
    return undefined;
  }
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param {object | undefined} values
 * @returns {any} a copy without the members that are undefined
 */
function present(values) {
  const given = Object.entries(Object(values)).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

module.exports = { RpcError, SidecarError, attempt, guarded, isObject, present };
