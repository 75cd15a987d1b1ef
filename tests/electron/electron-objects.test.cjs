'use strict';

const assert = require('node:assert/strict');
const childProcess = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { absence } = require('../../electron-bridge/lib/electron/objects.cjs');
const { newFolder } = require('./fixtures/folders.cjs');

const FIXTURES = path.join(__dirname, 'fixtures');
const BRIDGE = path.join(__dirname, '..', '..', 'electron-bridge');

/** The module `electron` of the scripted app, as a main process requires it; no autoUpdater, whose
 * getter throws in builds for a store. */
const ELECTRON = `
  const EventEmitter = require('node:events');
  const { ScriptedApp } = require(${JSON.stringify(path.join(FIXTURES, 'scripted-app.cjs'))});
  const { ScriptedIpcMain } = require(${JSON.stringify(path.join(FIXTURES, 'scripted-electron.cjs'))});
  module.exports = {
    app: new ScriptedApp(),
    ipcMain: new ScriptedIpcMain(),
    powerMonitor: new EventEmitter(),
    session: {},
    get autoUpdater() { throw new Error('not in this build'); },
  };
`;

const BODY = `
  const lines = [];
  const keep = (message) => lines.push(message);
  const logger = { debug: keep, info: keep, warn: keep, error: keep };
  const sidecar = createSidecar({
    command: 'no-such-program-anywhere',
    connect: { url: 'ws://127.0.0.1:1', room: 'r', token: 't' },
    logger,
  });
  sidecar.start().catch(() => {}).then(() => {
    const { app, ipcMain, powerMonitor } = electron;
    const heard = { app: app.eventNames(), ipcMain: [...ipcMain.handlers.keys()] };
    console.log(JSON.stringify({ ...heard, powerMonitor: powerMonitor.eventNames(), lines }));
    return sidecar.dispose();
  });
`;

const MAINS = {
  'main.cjs': `
    const electron = require('electron');
    const { createSidecar } = require('clara-voice-bridge');
  `,
  'main.mjs': `
    import electron from 'electron';
    import { createSidecar } from 'clara-voice-bridge';
  `,
};

/** What makes a process of Node a main process of Electron. */
const IS_MAIN = `
  Object.defineProperty(process.versions, 'electron', { value: '45.0.0' });
  process.type = 'browser';
`;

/** Not what was installed for the development of the bridge or of its example. */
const isOurs = (file) => path.basename(file) !== 'node_modules';

/** An app in a folder of its own, with Electron and the bridge installed; gives what it said. */
function runApp(t, main, preamble) {
  const folder = newFolder();
  const electron = path.join(folder, 'node_modules', 'electron');
  fs.mkdirSync(electron, { recursive: true });
  fs.writeFileSync(path.join(electron, 'index.js'), ELECTRON);
  const copy = path.join(folder, 'node_modules', 'clara-voice-bridge');
  fs.cpSync(BRIDGE, copy, { recursive: true, filter: isOurs });
  fs.writeFileSync(path.join(folder, 'preamble.cjs'), preamble);
  fs.writeFileSync(path.join(folder, main), MAINS[main] + BODY);
  const args = ['--require', path.join(folder, 'preamble.cjs'), path.join(folder, main)];
  return JSON.parse(childProcess.execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

for (const main of Object.keys(MAINS)) {
  test(`createSidecar finds Electron's objects itself in ${main}, and says what is absent`, (t) => {
    const { app, ipcMain, powerMonitor, lines } = runApp(t, main, IS_MAIN);
    assert.deepEqual(app, ['web-contents-created', 'browser-window-created']);
    assert.deepEqual(ipcMain, ['clara-voice:call']);
    assert.deepEqual(powerMonitor, ['suspend', 'resume', 'shutdown']);
    assert.match(
      lines[0],
      /^Not all of Electron's objects are there: without `autoUpdater` an update/,
    );
    assert.equal(lines.filter((line) => line.includes('without `')).length, 1);
  });

  test(`outside of a main process ${main} has no Electron, and the log says so`, (t) => {
    const { app, ipcMain, lines } = runApp(t, main, '');
    assert.deepEqual([app, ipcMain], [[], []]);
    assert.match(lines[0], /^There is no Electron: without `app` a quit does not wait/);
  });
}

test('where all objects are there, nothing is said', () => {
  assert.equal(absence({ app: {}, ipcMain: {}, powerMonitor: {}, autoUpdater: {} }), null);
});
