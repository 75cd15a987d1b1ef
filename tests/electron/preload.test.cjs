'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');

const { installPreload, preloadPath } = require('../../electron-bridge/index.cjs');
const { CHANNELS, EVENTS, TOPICS } = require('../../electron-bridge/lib/pages/subscriptions.cjs');
const { PRELOAD, ScriptedContents, ScriptedIpcMain } = require('./fixtures/scripted-electron.cjs');

test('the names of the channels are the same in the preload and in main', () => {
  const text = fs.readFileSync(PRELOAD, 'utf8');
  for (const [table, names] of Object.entries({ CHANNELS, EVENTS, TOPICS })) {
    const [, literal] = new RegExp(
      `^const ${table} = Object\\.freeze\\((\\{.*?\\})\\);`,
      'ms',
    ).exec(text);
    assert.deepEqual(new Function(`return ${literal}`)(), { ...names }, table);
  }
});

test('the preload requires electron and nothing else', () => {
  const required = fs.readFileSync(PRELOAD, 'utf8').match(/require\([^)]*\)/g);
  assert.deepEqual(required, ["require('electron')"]);
});

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
