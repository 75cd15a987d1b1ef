'use strict';

/**
 * Owns where Electron's own objects come from when the app hands none in, and the log line for each
 * absent object.
 */

const { attempt, present } = require('../errors.cjs');

/** What the app goes without, by the object that is not there. */
const COSTS = Object.freeze({
  app: 'a quit does not wait for the sidecar, and a packaged app does not find the one it ships',
  ipcMain: 'pages have no window.clara',
  powerMonitor: 'deadlines run on while the system sleeps, and its wake-up is not told',
  autoUpdater: 'an update waits for the sidecar as any quit does',
});

/** @returns {import('../../index').ElectronLike | undefined} undefined outside of a main process */
function findElectron() {
  // `type` is Electron's own addition to `process`.
  const isMain = process.versions.electron && /** @type {any} */ (process).type === 'browser';
  // A bundle may be unable to require it; the log says what is absent.
  const electron = isMain ? attempt(() => require('electron')) : undefined;
  if (!electron || !electron.app) return undefined;
  // A build of Electron may be without one: its store builds have no autoUpdater.
  const object = (/** @type {string} */ name) => attempt(() => /** @type {any} */ (electron)[name]);
  const names = [...Object.keys(COSTS), 'session'];
  return present(Object.fromEntries(names.map((name) => [name, object(name) || undefined])));
}

/**
 * @param {import('../../index').ElectronLike | undefined} electron
 * @returns {string | null} a sentence for the log; null when nothing is absent
 */
function absence(electron) {
  const absent = Object.entries(COSTS).filter(([name]) => !(name in (electron || {})));
  if (absent.length === 0) return null;
  const costs = absent.map(([name, cost]) => `without \`${name}\` ${cost}`).join('; ');
  const what = electron ? "Not all of Electron's objects are there" : 'There is no Electron';
  return `${what}: ${costs}. Give them in \`electron\` of createSidecar, or \`electron: false\`.`;
}

module.exports = { absence, findElectron };
