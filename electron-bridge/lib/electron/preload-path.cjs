'use strict';

/** Owns where preload.cjs is and how a session of Electron is told of it. */

const path = require('path');

/** For `webPreferences.preload`, or to copy where a bundler moved this file. */
const preloadPath = path.join(__dirname, '..', 'preload.cjs');

/**
 * Gives window.clara to every page of the session, beside the preload scripts it has. A second call
 * changes nothing.
 *
 * @param {import('../../index').SessionLike} session
 */
function installPreload(session) {
  if (session !== null && typeof session === 'object') {
    if (session.registerPreloadScript !== undefined) {
      const scripts = session.getPreloadScripts ? session.getPreloadScripts() : [];
      if (scripts.some(({ filePath }) => filePath === preloadPath)) return;
      session.registerPreloadScript({ type: 'frame', filePath: preloadPath });
      return;
    }
    if (session.setPreloads !== undefined && session.getPreloads !== undefined) {
      const paths = session.getPreloads();
      if (!paths.includes(preloadPath)) session.setPreloads([...paths, preloadPath]);
      return;
    }
  }
  throw new TypeError(
    "installPreload: it needs a session of Electron's, as session.defaultSession.",
  );
}

module.exports = { installPreload, preloadPath };
