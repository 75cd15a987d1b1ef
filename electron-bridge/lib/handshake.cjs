'use strict';

/**
 * Owns the first question to a sidecar, `initialize`, and what its answer means. Pure.
 */

const { RpcError, SidecarError } = require('./errors.cjs');
const { PROTOCOL_VERSION, VERSION } = require('./protocol.cjs');

const CURE = 'Ship the sidecar and the bridge of one release.';

/**
 * The params of `initialize`; the sidecar also ends when the process `parentPid` is gone.
 * @param {import('./mirror.cjs').Inheritance} [inheritance] of earlier processes
 * @returns {import('../index').InitializeParams}
 */
function initializeParams({ resume, usedIds, outageMs } = {}) {
  return {
    protocolVersion: PROTOCOL_VERSION,
    parentPid: process.pid,
    client: { name: 'clara-voice-bridge', version: VERSION },
    ...(resume && resume.length > 0 && { resume, outageMs }),
    ...(usedIds && usedIds.length > 0 && { usedIds }),
  };
}

/**
 * In development only the protocol must be the same: either half may be ahead of the other.
 *
 * @param {unknown} result of `initialize`
 * @param {boolean} packaged
 * @returns {SidecarError | null} VERSION_MISMATCH, or null when the two fit together
 */
function mismatch(result, packaged) {
  const { protocolVersion, server } = Object(result);
  const { version } = Object(server);
  if (protocolVersion === PROTOCOL_VERSION && (!packaged || version === VERSION)) return null;
  return new SidecarError(
    'VERSION_MISMATCH',
    `The bridge is version ${VERSION} with protocol ${PROTOCOL_VERSION}, the sidecar is version ` +
      `${version} with protocol ${protocolVersion}. ${CURE}`,
  );
}

/**
 * @param {unknown} error with which `initialize` was rejected
 * @param {number} timeoutMs it was given
 * @param {readonly string[]} stderrTail
 * @returns {SidecarError | null} why the start failed; null when the end of the run, which says
 *   more, is the reason
 */
function startFailure(error, timeoutMs, stderrTail) {
  if (error instanceof RpcError) {
    return new SidecarError(
      'VERSION_MISMATCH',
      `The sidecar refused the bridge, version ${VERSION} with protocol ${PROTOCOL_VERSION}: ` +
        `${error.message} ${CURE}`,
      { cause: error },
    );
  }
  if (error instanceof SidecarError && error.code === 'TIMEOUT') {
    return new SidecarError(
      'START_TIMEOUT',
      `The sidecar did not answer within ${timeoutMs} ms of its start and was ended. A first run ` +
        'under an antivirus program can take long: give a longer `startTimeoutMs`.' +
        lastWords(stderrTail),
      { stderrTail },
    );
  }
  return null;
}

/**
 * @param {readonly string[]} stderrTail
 * @returns {string} the end of a message, beginning with a space; empty without a tail
 */
function lastWords(stderrTail) {
  const last = stderrTail[stderrTail.length - 1];
  return last === undefined ? '' : ` Its last line on stderr: ${last}`;
}

module.exports = { initializeParams, lastWords, mismatch, startFailure };
