'use strict';

/**
 * The public API of the bridge; `index.d.ts` describes it. Loading it requires no Electron.
 */

const { RpcError, SidecarError } = require('./lib/errors.cjs');
const { installPreload, preloadPath } = require('./lib/electron/preload-path.cjs');
const { Sidecar } = require('./lib/sidecar.cjs');

/** @param {import('./index').SidecarOptions} options */
function createSidecar(options) {
  return new Sidecar(options);
}

module.exports = { createSidecar, installPreload, preloadPath, SidecarError, RpcError };
