'use strict';

/**
 * Owns what Electron tells of the app's end and of the system: quit, update, session end, sleep, wake
 * and shutdown. A quit waits until the sidecar has drained, that of an update a second at most; a
 * process that ends in any other way takes the sidecar with it.
 *
 * `will-quit`, not `before-quit`: a window may still veto the latter. No handlers of SIGTERM and
 * SIGINT: one in the main process would disable Electron's own.
 */

const { listen } = require('../listeners.cjs');

/**
 * @typedef {Pick<import('../../index').Sidecar, 'processState' | 'wake'>} WakeableSidecar
 *
 * @typedef {object} Stops
 * @property {() => Promise<void>} stop in order; must settle in bounded time, its failure does not
 *   stop a quit
 * @property {() => void} stopFast as stop, within a second; from then on stop() waits no longer
 * @property {() => void} killNow leaves nothing alive when it returns
 */

/**
 * Call it when a child was started. Call the function that it returns when that child is gone. So a
 * quit is held up only in between, and never twice.
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
  const release = listen(
    // app.exit(), process.exit(): what is left alive then would outlive the app if it hangs.
    [process, 'exit', killNow],
    [app, 'will-quit', onWillQuit],
    // Electron's own, and electron-updater's through it. The windows close next, and will-quit comes
    // when they are gone (electron.d.ts, autoUpdater); by then the sidecar should be gone, too, since
    // the installer waits for the app, and cannot replace the file of a program that runs.
    [autoUpdater, 'before-quit-for-update', stopFast],
  );
  return release;
}

/**
 * Windows reports a session's end only to windows, and gives no time after the report. Not
 * `query-session-end`: that is a question, and the answer may be no. Run under Wine.
 *
 * @param {object} electron
 * @param {import('../../index').AppLike} electron.app
 * @param {import('../../index').EmitterLike} [electron.powerMonitor]
 * @param {Pick<import('../process/supervisor.cjs').Supervisor, 'suspend' | 'systemResumed' | 'stopFast'>}
 *   supervisor
 * @param {WakeableSidecar} sidecar
 * @returns {() => void} ends the watch, of windows that of the ones to come
 */
function watchSystem({ app, powerMonitor }, supervisor, sidecar) {
  const onShutdown = () => supervisor.stopFast();
  const onResume = () => {
    supervisor.systemResumed();
    wake(sidecar, 'system-resume');
  };
  /** @type {import('../listeners.cjs').Listener} */
  const onWindow = (_, window) => window.on('session-end', onShutdown);
  const releases = [listen([app, 'browser-window-created', onWindow])];
  const listenToPower = () => {
    if (releases.length === 0) return; // ended meanwhile
    const suspend = () => supervisor.suspend();
    const sleep = listen([powerMonitor, 'suspend', suspend], [powerMonitor, 'resume', onResume]);
    releases.push(sleep, listen([powerMonitor, 'shutdown', onShutdown]));
  };
  // Before that, powerMonitor.on() throws in Electron 9, and hears nothing in later ones.
  Promise.resolve(app.whenReady && app.whenReady()).then(listenToPower);
  return () => {
    for (const release of releases.splice(0)) release();
  };
}

/**
 * Tells the sidecar that it need not wait any longer: the one function for a system's wake-up and
 * for a page that has its network back (`online`).
 *
 * @param {WakeableSidecar} sidecar
 * @param {import('../../index').WakeParams['reason']} reason
 */
function wake(sidecar, reason) {
  if (sidecar.processState !== 'ready') return; // a new process needs no telling
  sidecar.wake(reason).catch(() => {}); // it is gone or going: the next process begins afresh
}

module.exports = { holdQuit, wake, watchSystem };
