'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { createSidecar, preloadPath } = require('../../electron-bridge/index.cjs');
const { newFolder } = require('./fixtures/folders.cjs');
const { ScriptedApp } = require('./fixtures/scripted-app.cjs');
const { ScriptedContents, ScriptedIpcMain } = require('./fixtures/scripted-electron.cjs');
const { CONNECT, scripted, session } = require('./fixtures/scripted.cjs');

/** An app whose sidecar serves pages, and one page. */
function served(t, options = {}) {
  const ipcMain = new ScriptedIpcMain();
  const electron = { app: new ScriptedApp({ userData: newFolder() }), ipcMain };
  const sidecar = scripted(t, {}, { electron, ...options });
  return { electron, ipcMain, sidecar, ...new ScriptedContents(ipcMain).preload() };
}

/** The first event of a page's that fits. */
function heard(clara, isIt) {
  return new Promise((resolve) => {
    const stop = clara.onSessions((event) => {
      if (!isIt(event)) return;
      setImmediate(() => stop());
      resolve(event);
    });
  });
}

test(
  'a page hears of a session that the sidecar announces, and asks the sidecar',
  { timeout: 20_000 },
  async (t) => {
    const { clara, sidecar } = served(t);
    await sidecar.start();
    const created = heard(clara, ({ type }) => type === 'created');
    await sidecar.request('notify', {
      method: 'session-created',
      params: { session: session('ada') },
    });
    const { session: ada, sessions, seq } = await created;
    assert.deepEqual([ada.participantId, sessions.length], ['ada', 1]);
    const list = await clara.listSessions();
    assert.deepEqual([list.sessions.length, list.seq >= seq], [1, true]);
    // The scripted sidecar knows no such method: its own word for that arrives.
    const { name, code } = await clara.closeSession(ada.sessionId).catch((error) => error);
    assert.deepEqual([name, code], ['RpcError', -32601]);
  },
);

test('without a sidecar a call is NOT_READY, whatever its arguments: the sidecar would check them', async (t) => {
  const { clara } = served(t);
  const codeOf = (call) => call.catch(({ code }) => code);
  assert.equal(
    await codeOf(clara.createConnection({ ttlSeconds: 'long', identity: 7 })),
    'NOT_READY',
  );
  assert.equal(await codeOf(clara.closeSession(7)), 'NOT_READY');
  assert.equal(await codeOf(clara.createConnection('alice')), 'INVALID_ARGUMENT');
});

test('a page whose network is back wakes the sidecar', { timeout: 20_000 }, async (t) => {
  const { sidecar, window } = served(t);
  await sidecar.start();
  window.dispatchEvent(new Event('online'));
  let told = null;
  while (told === null) told = await sidecar.request('last-wake');
  assert.deepEqual(told, { reason: 'network-online' });
});

test('one sidecar of an app serves pages; after dispose() another may', (t) => {
  const { electron, sidecar } = served(t);
  const another = () => createSidecar({ connect: CONNECT, electron });
  assert.throws(another, /another sidecar of this app serves window.clara already/);
  sidecar.dispose();
  another().dispose();
});

test('without ipcMain there is nothing for pages, and nothing in the way', (t) => {
  const { electron } = served(t);
  createSidecar({ connect: CONNECT, electron: { app: electron.app } });
});

test('the sidecar knows where its preload is, too', (t) => {
  const { sidecar } = served(t);
  assert.equal(sidecar.preloadPath, preloadPath);
  const paths = [];
  sidecar.installPreload({ getPreloads: () => [], setPreloads: (given) => paths.push(...given) });
  assert.deepEqual(paths, [preloadPath]);
});
