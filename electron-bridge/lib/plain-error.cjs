'use strict';

/**
 * Owns how an error goes to a page: as {name, code, message, data}, since Electron's IPC keeps
 * nothing of an Error but its message. No stack, no output of the sidecar.
 */

const { RpcError, SidecarError } = require('./errors.cjs');
const { ArgumentError } = require('./page-arguments.cjs');

/**
 * @param {unknown} error
 * @returns {import('../preload').ClaraError}
 */
function plainError(error) {
  if (error instanceof RpcError) {
    const { code, message, data } = error;
    return { name: 'RpcError', code, message, ...(data !== undefined && { data: { ...data } }) };
  }
  if (error instanceof SidecarError)
    return { name: 'SidecarError', code: error.code, message: error.message };
  if (error instanceof ArgumentError) return claraError('INVALID_ARGUMENT', error.message);
  // Of the app's own code: its getToken, for one.
  return claraError('UNEXPECTED', error instanceof Error ? error.message : String(error));
}

/**
 * @param {'DENIED' | 'INVALID_ARGUMENT' | 'UNEXPECTED'} code
 * @param {string} message
 * @param {string} [fix]
 * @returns {import('../preload').ClaraError}
 */
function claraError(code, message, fix) {
  return { name: 'ClaraError', code, message, ...(fix !== undefined && { data: { fix } }) };
}

module.exports = { claraError, plainError };
