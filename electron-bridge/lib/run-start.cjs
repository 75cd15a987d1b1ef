'use strict';

/**
 * Owns the start of one run: whether this instance of the app may have one, which program it is,
 * and through which proxy it goes.
 */

const { resolveLaunch } = require('./launch.cjs');
const { chosenProxy } = require('./proxy.cjs');
const { Run } = require('./run.cjs');
const { refuseSecondInstance } = require('./single-instance.cjs');

/**
 * @param {ReturnType<import('./options.cjs').checkedOptions>} options
 * @param {object} parts
 * @param {() => import('./mirror.cjs').Inheritance} parts.inherit called if there is a run
 * @param {import('./log-lines.cjs').LogLines} parts.logs
 * @param {import('./deadlines.cjs').Deadlines} parts.deadlines
 * @param {import('./run.cjs').RunHandlers} parts.handlers
 * @returns {Run}
 * @throws {SidecarError} BUSY, and what resolveLaunch() throws
 */
function startRun(options, { inherit, logs, deadlines, handlers }) {
  refuseSecondInstance(options);
  const launch = resolveLaunch(options);
  const { startTimeoutMs, proxy: option, connect, electron = {} } = options;
  const warn = (/** @type {string} */ text) => logs.report('warning', text);
  const proxy = option && chosenProxy(option, connect.url, { ...electron, deadlines, warn });
  return new Run(
    { launch, proxy, startTimeoutMs, inheritance: inherit(), logs, deadlines },
    handlers,
  );
}

/** @typedef {import('./errors.cjs').SidecarError} SidecarError */

module.exports = { startRun };
