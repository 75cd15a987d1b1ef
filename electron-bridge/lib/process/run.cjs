'use strict';

/**
 * Owns what one run of the sidecar begins and ends with: what `initialize` tells, whether the two
 * halves fit together, and the error of its end. Pure.
 */

const { RpcError, SidecarError } = require('../errors.cjs');
const { PROTOCOL_VERSION, VERSION } = require('../protocol.cjs');

const CLIENT = Object.freeze({ name: 'clara-voice-bridge', version: VERSION });
const SAME_RELEASE = 'Ship the sidecar and the bridge of one release.';
const NO_SIDECAR = 'This Python lacks the sidecar. Run `uv sync`, or set another SIDECAR_PYTHON.';
const THIS_BRIDGE = `version ${VERSION} with protocol ${PROTOCOL_VERSION}`;

/**
 * The params of `initialize`; the sidecar also ends when the process `parentPid` is gone.
 * @param {import('../sessions/mirror.cjs').Inheritance} inheritance of earlier processes
 * @param {readonly string[]} answered what the sidecar may ask
 * @param {object} [voice] settings of the voice plug-in
 * @returns {import('../../index').InitializeParams}
 */
function initializeParams({ resume, usedIds, ...inherited }, answered, voice) {
  const capabilities = Object.fromEntries(answered.map((name) => [name, true]));
  return {
    protocolVersion: PROTOCOL_VERSION,
    parentPid: process.pid,
    client: { ...CLIENT, ...(answered.length > 0 && { capabilities }) },
    ...(resume && resume.length > 0 && { resume, ...inherited }),
    ...(usedIds && usedIds.length > 0 && { usedIds }),
    ...(voice && { voice }),
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
  const theirs = `version ${version} with protocol ${protocolVersion}`;
  const problem = `The bridge is ${THIS_BRIDGE}, the sidecar is ${theirs}.`;
  return new SidecarError('VERSION_MISMATCH', problem, { fix: SAME_RELEASE });
}

/**
 * @param {unknown} error with which `initialize` was rejected
 * @param {number} timeoutMs it was given
 * @param {readonly string[]} stderrTail
 * @returns {SidecarError | null} why the start failed; null when the end of the run, which says
 *   more, is the reason
 */
function startFailure(error, timeoutMs, stderrTail) {
  const { code, message } = /** @type {SidecarError} */ (error);
  if (error instanceof RpcError) {
    const problem = `The sidecar refused the bridge, ${THIS_BRIDGE}: ${message}`;
    return new SidecarError('VERSION_MISMATCH', problem, { fix: SAME_RELEASE, cause: error });
  }
  if (code !== 'TIMEOUT') return null;
  const problem = `The sidecar did not answer within ${timeoutMs} ms of its start and was ended.`;
  const fix = 'An antivirus program can slow down a first run: give a longer `startTimeoutMs`.';
  return new SidecarError('START_TIMEOUT', problem, { fix, stderrTail });
}

/**
 * The message names no line of stderr: a panic of the native library may be one, with anything in
 * it, and the message reaches the pages. `stderrTail` has the lines, for the app only.
 *
 * @param {import('./launch.cjs').Launch} launch
 * @param {SidecarError | undefined} reason why the sidecar was ended; undefined when it ended by itself
 * @param {import('./sidecar-process.cjs').EndReport} report
 * @param {readonly string[]} stderrTail
 * @returns {SidecarError} why it ended, with its status; another object at each call
 */
function endError(launch, reason, { code, signal, spawnError }, stderrTail) {
  if (spawnError !== null) return require('./launch.cjs').spawnFailure(spawnError, launch);
  const how = signal === null ? `with status ${code}` : `by signal ${signal}`;
  const isPythonBare = stderrTail.some((line) => line.endsWith(': No module named sidecar'));
  const advice = isPythonBare ? NO_SIDECAR : undefined;
  const ended = new SidecarError('EXITED', `The sidecar ended ${how}.`, { fix: advice });
  const { code: why, problem, fix, cause } = /** @type {any} */ (reason || ended);
  return new SidecarError(why, problem, { exitCode: code, signal, stderrTail, fix, cause });
}

module.exports = { endError, initializeParams, mismatch, startFailure };
