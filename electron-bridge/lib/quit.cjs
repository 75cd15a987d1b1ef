'use strict';

/**
 * Owns the app's quit while a sidecar is alive: Electron waits until the sidecar has drained.
 *
 * `will-quit`, not `before-quit`: a window may still veto the latter. No handlers of SIGTERM and
 * SIGINT: one in the main process would disable Electron's own. Nothing at `process.exit` either:
 * the sidecar sees its stdin end and leaves the room in order, which a kill would prevent.
 */

/**
 * Call it when a child was started, and what it returns when that child is gone; so a quit is held
 * up only in between, and never twice.
 *
 * @param {import('../index').AppLike} app
 * @param {() => Promise<void>} stop must settle in bounded time; its failure does not stop a quit
 * @returns {() => void} lets the app quit freely again
 */
function holdQuit(app, stop) {
  let isHeld = false;
  /** @param {{preventDefault(): void}} event */
  const onWillQuit = (event) => {
    event.preventDefault();
    if (isHeld) return; // the user quits again while the sidecar drains
    isHeld = true;
    const quit = () => {
      release();
      app.quit();
    };
    stop().then(quit, quit);
  };
  const release = () => {
    app.removeListener('will-quit', onWillQuit);
  };
  app.on('will-quit', onWillQuit);
  return release;
}

module.exports = { holdQuit };
