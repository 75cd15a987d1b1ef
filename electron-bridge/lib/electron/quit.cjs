'use strict';

/**
 * Owns the app's end while a sidecar is alive. A quit waits until the sidecar has drained, that of an
 * update a second at most; a process that ends in any other way takes the sidecar with it.
 *
 * `will-quit`, not `before-quit`: a window may still veto the latter. No handlers of SIGTERM and
 * SIGINT: one in the main process would disable Electron's own.
 */

/**
 * @typedef {object} Stops
 * @property {() => Promise<void>} stop in order; must settle in bounded time, its failure does not
 *   stop a quit
 * @property {() => void} stopFast as stop, within a second; from then on stop() waits no longer
 * @property {() => void} killNow leaves nothing alive when it returns
 */

/**
 * Call it when a child was started, and what it returns when that child is gone; so a quit is held
 * up only in between, and never twice.
 *
 * @param {object} electron
 * @param {import('../../index').AppLike} [electron.app] without Electron, only the last resort is left
 * @param {import('../../index').EmitterLike} [electron.autoUpdater]
 * @param {Stops} stops
 * @returns {() => void} lets the app quit freely again
 */
function holdQuit({ app, autoUpdater }, { stop, stopFast, killNow }) {
  let isHeld = false;
  /** @param {{preventDefault(): void}} event */
  const onWillQuit = (event) => {
    event.preventDefault();
    if (isHeld) return; // the user quits again while the sidecar drains
    isHeld = true;
    const quit = () => {
      release();
      /** @type {import('../../index').AppLike} */ (app).quit();
    };
    stop().then(quit, quit);
  };
  const release = () => {
    process.removeListener('exit', killNow);
    if (app) app.removeListener('will-quit', onWillQuit);
    if (autoUpdater) autoUpdater.removeListener('before-quit-for-update', stopFast);
  };
  // app.exit(), process.exit(): what is left alive then would outlive the app if it hangs.
  process.on('exit', killNow);
  if (app) app.on('will-quit', onWillQuit);
  // Electron's own, and electron-updater's through it. The windows close next, and will-quit comes
  // when they are gone (electron.d.ts, autoUpdater); by then the sidecar should be gone, too, since
  // the installer waits for the app, and cannot replace the file of a program that runs.
  if (autoUpdater) autoUpdater.on('before-quit-for-update', stopFast);
  return release;
}

/**
 * Windows tells a session's end to windows alone, and gives no time after it. Not
 * `query-session-end`: that is a question, and the answer may be no. Not run.
 *
 * @param {import('../../index').AppLike} app
 * @param {() => void} onSessionEnd
 * @returns {() => void} ends the watch over windows to come
 */
function watchSessionEnd(app, onSessionEnd) {
  /**
   * @param {unknown} _event
   * @param {{on(name: 'session-end', listener: () => void): unknown}} window
   */
  const onWindow = (_event, window) => {
    window.on('session-end', onSessionEnd);
  };
  app.on('browser-window-created', onWindow);
  return () => {
    app.removeListener('browser-window-created', onWindow);
  };
}

module.exports = { holdQuit, watchSessionEnd };
