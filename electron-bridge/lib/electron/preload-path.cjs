'use strict';

/** Owns the path of preload.cjs and its registration in a session of Electron. */

const fs = require('fs');
const path = require('path');

const { attempt } = require('../errors.cjs');
const { listen } = require('../listeners.cjs');

/** For `webPreferences.preload`. */
const preloadPath = path.join(__dirname, '..', '..', 'preload.cjs');

/**
 * A bundler takes this file elsewhere and leaves preload.cjs behind: the pages would have no
 * window.clara, and nothing would say so.
 *
 * @param {string} caller for the message
 * @throws {Error}
 */
function checkPreload(caller) {
  // Beside a bundle there may be a preload.cjs of the app's own.
  const script = attempt(() => fs.readFileSync(preloadPath, 'utf8'));
  if (script && script.includes('clara-voice:')) return;
  throw new Error(
    `${caller}: the bridge's preload script is not at ${preloadPath}. Was the main process bundled? Then ` +
      'keep clara-voice-bridge out of the bundle: list it as `external` (esbuild, Vite: ' +
      'build.rollupOptions.external) or in `externals` (webpack), and ship it in node_modules. Does your ' +
      'own preload import clara-voice-bridge/preload? Then give createSidecar `pages: { ownPreload: true }`.',
  );
}

/**
 * Gives window.clara to every page of the session, beside the preload scripts it has. A second call
 * changes nothing.
 *
 * @param {any} session a SessionLike
 * @throws {Error} when preload.cjs is no file
 */
function installPreload(session) {
  checkPreload('installPreload');
  const { registerPreloadScript, setPreloads } = Object(session);
  if (registerPreloadScript) {
    const isOurs = (/** @type {any} */ script) => script.filePath === preloadPath;
    if (session.getPreloadScripts().some(isOurs)) return;
    session.registerPreloadScript({ type: 'frame', filePath: preloadPath });
  } else if (setPreloads) {
    session.setPreloads([...new Set([...session.getPreloads(), preloadPath])]);
  } else {
    throw new TypeError("installPreload: it needs a session of Electron's, as defaultSession.");
  }
}

/**
 * Electron reports a failing preload script only to the window, and in the page's console.
 *
 * @param {import('../../index').AppLike} app
 * @param {(problem: string) => void} onProblem
 * @returns {() => void} ends the watch over windows to come
 */
function watchPreload(app, onProblem) {
  /** @type {import('../listeners.cjs').Listener} */
  const onError = (_, file, error) => {
    if (file !== preloadPath) return;
    onProblem(`The preload script failed, so a page has no window.clara: ${error.message}`);
  };
  /** @type {import('../listeners.cjs').Listener} */
  const onContents = (_, contents) => contents.on('preload-error', onError);
  return listen([app, 'web-contents-created', onContents]);
}

module.exports = { checkPreload, installPreload, preloadPath, watchPreload };
