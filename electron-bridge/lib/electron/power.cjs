'use strict';

/**
 * Owns what the system tells the app of itself: sleep, wake, shutdown; and the one way in which the
 * sidecar hears that it may try again. Decides nothing.
 */

const { METHODS } = require('../protocol.cjs');

/**
 * @typedef {object} Handlers none may throw
 * @property {() => void} onSuspend
 * @property {() => void} onResume
 * @property {() => void} onShutdown on Linux and macOS; Windows tells it to windows alone
 */

/**
 * @param {object} electron
 * @param {import('../../index').AppLike} electron.app
 * @param {import('../../index').EmitterLike} electron.powerMonitor
 * @param {Handlers} handlers
 * @returns {() => void} ends the watch
 */
function watchPower({ app, powerMonitor }, { onSuspend, onResume, onShutdown }) {
  /** @type {ReadonlyArray<['suspend' | 'resume' | 'shutdown', () => void]>} */
  const listeners = [
    ['suspend', onSuspend],
    ['resume', onResume],
    ['shutdown', onShutdown],
  ];
  let isEnded = false;
  const listen = () => {
    if (isEnded) return;
    for (const [name, listener] of listeners) powerMonitor.on(name, listener);
  };
  // Before that, powerMonitor.on() throws in Electron 9, and hears nothing in later ones.
  if (app.whenReady) app.whenReady().then(listen);
  else listen();
  return () => {
    isEnded = true;
    for (const [name, listener] of listeners) powerMonitor.removeListener(name, listener);
  };
}

/**
 * Tells the sidecar that it need not wait any longer: the one function for a system's wake-up and
 * for a page whose network is back (`online`).
 *
 * @param {Pick<import('../../index').Sidecar, 'processState' | 'request'>} sidecar
 * @param {import('../../index').WakeParams['reason']} reason
 */
function wake(sidecar, reason) {
  if (sidecar.processState !== 'ready') return; // a new process needs no telling
  sidecar.request(METHODS.wake, { reason }).catch(() => {
    // It is gone or going: whoever comes after it begins afresh.
  });
}

module.exports = { wake, watchPower };
