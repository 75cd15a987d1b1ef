'use strict';

const assert = require('node:assert/strict');
const EventEmitter = require('node:events');
const { test } = require('node:test');

const { installPreload, preloadPath } = require('../../electron-bridge/index.cjs');
const { watchPreload } = require('../../electron-bridge/lib/electron/preload-path.cjs');
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

test('of each window to come it is told when our preload script fails, and no other', () => {
  const app = new EventEmitter();
  const problems = [];
  const end = watchPreload(app, (problem) => problems.push(problem));
  const windows = [new EventEmitter(), new EventEmitter()];
  for (const contents of windows) app.emit('web-contents-created', {}, contents);
  windows[0].emit('preload-error', {}, '/app/own.js', new Error('of the app'));
  assert.deepEqual(problems, []);
  windows[1].emit('preload-error', {}, preloadPath, new Error('no such module'));
  assert.deepEqual(problems, [
    'The preload script failed, so a page has no window.clara: no such module',
  ]);
  end();
  assert.deepEqual(app.eventNames(), []);
});
