'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { holdQuit } = require('../../electron-bridge/lib/quit.cjs');
const { ScriptedApp } = require('./fixtures/scripted-app.cjs');
const { next, scripted, statesOf } = require('./fixtures/scripted.cjs');

/** A stop() whose end the test decides. */
function decidedStop() {
  const stop = () => {
    stop.calls += 1;
    return new Promise((resolve, reject) => Object.assign(stop, { resolve, reject }));
  };
  return Object.assign(stop, { calls: 0 });
}

test('a quit waits for the stop and then happens, with one stop however often it is asked for', async () => {
  const app = new ScriptedApp();
  const stop = decidedStop();
  holdQuit(app, stop);
  app.quit();
  app.quit();
  assert.deepEqual([app.hasQuit, stop.calls], [false, 1]);
  stop.resolve();
  await once(app, 'quit');
  assert.equal(app.listenerCount('will-quit'), 0);
});

test('a stop that fails does not keep the app from quitting', async () => {
  const app = new ScriptedApp();
  const stop = decidedStop();
  holdQuit(app, stop);
  app.quit();
  stop.reject(new Error('no'));
  await once(app, 'quit');
});

test('once released, a quit is held no more', () => {
  const app = new ScriptedApp();
  const stop = decidedStop();
  holdQuit(app, stop)();
  app.quit();
  assert.deepEqual([app.hasQuit, stop.calls], [true, 0]);
});

function userData(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quit-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

test(
  'an app quits only when the sidecar is gone, and freely before and after',
  { timeout: 20_000 },
  async (t) => {
    const app = new ScriptedApp({ userData: userData(t) });
    const sidecar = scripted(t, {}, { electron: { app } });
    assert.equal(app.listenerCount('will-quit'), 0);
    await sidecar.start();
    const states = statesOf(sidecar);
    app.quit();
    assert.equal(app.hasQuit, false);
    await once(app, 'quit');
    assert.deepEqual(states, ['stopping', 'idle']);
    assert.equal(app.listenerCount('will-quit'), 0);
  },
);

test(
  "a quit during the app's own stop() waits for it and does not force it",
  { timeout: 20_000 },
  async (t) => {
    const app = new ScriptedApp({ userData: userData(t) });
    const sidecar = scripted(t, {}, { electron: { app } });
    await sidecar.start();
    const ended = next(sidecar, 'exit');
    const quit = once(app, 'quit');
    const stopped = sidecar.stop();
    app.quit();
    const { code, signal } = await ended;
    assert.deepEqual([code, signal], [0, null]);
    await stopped;
    await quit;
  },
);

test('a crash lets the app quit freely', { timeout: 20_000 }, async (t) => {
  const app = new ScriptedApp({ userData: userData(t) });
  const sidecar = scripted(t, {}, { electron: { app } });
  await sidecar.start();
  const ended = next(sidecar, 'exit');
  sidecar.request('exit', { status: 3 }).catch(() => {});
  await ended;
  app.quit();
  assert.equal(app.hasQuit, true);
});
