'use strict';

/** Owns the refusal to start a second sidecar for a second instance of the app. Pure. */

const { SidecarError } = require('../errors.cjs');

/**
 * @param {Pick<import('../../index').SidecarOptions, 'electron' | 'requireSingleInstanceLock'>} options
 * @throws {SidecarError} BUSY, when another instance has the lock, or nobody asked for it
 */
function refuseSecondInstance({ electron, requireSingleInstanceLock }) {
  const { app } = Object(electron);
  if (requireSingleInstanceLock !== true || !app || !app.hasSingleInstanceLock) return;
  if (app.hasSingleInstanceLock()) return;
  throw new SidecarError(
    'BUSY',
    'No sidecar was started: this instance of the app does not hold the single-instance lock.',
    {
      fix:
        'Call `app.requestSingleInstanceLock()` first, and `app.exit(0)` where it gives false (not ' +
        '`app.quit()`, after which `whenReady` still comes); or leave `requireSingleInstanceLock` out.',
    },
  );
}

module.exports = { refuseSecondInstance };
