'use strict';

/**
 * The public API of the bridge; `index.d.ts` describes it. Loading it requires no Electron.
 */

// A bundle of ES modules has no `require` for Node's own modules, or no `__dirname`.
try {
  require('path').join(__dirname);
} catch (_) {
  throw new Error(
    'clara-voice-bridge cannot run inside a bundle of ES modules. Keep clara-voice-bridge out of the ' +
      'bundle: list it as `external` (esbuild; Vite: build.rollupOptions.external) or in `externals` ' +
      '(webpack), and ship it in node_modules.',
  );
}

const { RpcError, SidecarError } = require('./lib/errors.cjs');
const { installPreload, preloadPath } = require('./lib/electron/preload-path.cjs');
const { createSidecar } = require('./lib/sidecar.cjs');

module.exports = { createSidecar, installPreload, preloadPath, SidecarError, RpcError };
