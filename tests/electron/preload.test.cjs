'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { installPreload, preloadPath } = require('../../electron-bridge/index.cjs');
const { ScriptedContents, ScriptedIpcMain } = require('./fixtures/scripted-electron.cjs');

test('without context isolation it refuses, and says what it needs', () => {
  const contents = new ScriptedContents(new ScriptedIpcMain());
  assert.throws(
    () => contents.preload(contents.mainFrame, { contextIsolated: false }),
    /preload\.cjs needs webPreferences\.contextIsolation to be true/,
  );
});

test('a window that names it twice has it once', () => {
  const contents = new ScriptedContents(new ScriptedIpcMain());
  const { world } = contents.preload();
  assert.equal(contents.preload(contents.mainFrame, { world }).clara, undefined);
});

test('installPreload adds it to what an older session has, once', () => {
  let paths = ['/app/own.js'];
  const session = { getPreloads: () => paths, setPreloads: (given) => (paths = given) };
  installPreload(session);
  installPreload(session);
  assert.deepEqual(paths, ['/app/own.js', preloadPath]);
});

test('installPreload registers it in a newer session, once', () => {
  const scripts = [{ filePath: '/app/own.js' }];
  const session = {
    getPreloadScripts: () => scripts,
    registerPreloadScript: (script) => scripts.push(script),
    setPreloads: () => assert.fail('deprecated where there is registerPreloadScript'),
    getPreloads: () => [],
  };
  installPreload(session);
  installPreload(session);
  assert.deepEqual(scripts.slice(1), [{ type: 'frame', filePath: preloadPath }]);
});

test('installPreload refuses what is no session', () => {
  for (const given of [undefined, null, {}, 'default']) {
    assert.throws(() => installPreload(given), /installPreload: it needs a session/);
  }
});
