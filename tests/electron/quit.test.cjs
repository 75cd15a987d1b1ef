'use strict';

const assert = require('node:assert/strict');
const EventEmitter = require('node:events');
const { once } = EventEmitter;
const { test } = require('node:test');

const { holdQuit, watchSystem } = require('../../electron-bridge/lib/electron/system.cjs');
const { newFolder } = require('./fixtures/folders.cjs');
const { ScriptedApp } = require('./fixtures/scripted-app.cjs');
const { next, scripted, statesOf } = require('./fixtures/scripted.cjs');

/** Ways to stop whose calls are recorded; the end of an orderly stop is the test's to decide. */
function decidedStops() {
  const calls = [];
  const stops = {
    calls,
    stop: () => {
      calls.push('stop');
      return new Promise((resolve, reject) => Object.assign(stops, { resolve, reject }));
    },
    stopFast: () => calls.push('stopFast'),
    killNow: () => calls.push('killNow'),
  };
  return stops;
}

/** Holds the quit of an app; lets go at the end of the test. */
function held(t) {
  const app = new ScriptedApp();
  const autoUpdater = new EventEmitter();
  const stops = decidedStops();
  const exits = process.listenerCount('exit');
  const release = holdQuit({ app, autoUpdater }, stops);
  t.after(release);
  return { app, autoUpdater, stops, release, exits };
}

test('a quit waits for the stop and then happens, with one stop however often it is asked for', async (t) => {
  const { app, stops } = held(t);
  app.quit();
  app.quit();
  assert.deepEqual([app.hasQuit, stops.calls], [false, ['stop']]);
  stops.resolve();
  await once(app, 'quit');
  assert.equal(app.listenerCount('will-quit'), 0);
});

test('a stop that fails does not keep the app from quitting', async (t) => {
  const { app, stops } = held(t);
  app.quit();
  stops.reject(new Error('no'));
  await once(app, 'quit');
});

test('once released, a quit is held no more, and no listener is left', (t) => {
  const { app, autoUpdater, stops, release, exits } = held(t);
  release();
  app.quit();
  assert.deepEqual([app.hasQuit, stops.calls], [true, []]);
  assert.deepEqual([app.eventNames(), autoUpdater.eventNames()], [[], []]);
  assert.equal(process.listenerCount('exit'), exits);
});

test('an update begins a fast stop at once, and its quit waits for no more than that', async (t) => {
  const { app, autoUpdater, stops } = held(t);
  autoUpdater.emit('before-quit-for-update');
  assert.deepEqual(stops.calls, ['stopFast']);
  app.quit();
  assert.deepEqual([app.hasQuit, stops.calls], [false, ['stopFast', 'stop']]);
  stops.resolve();
  await once(app, 'quit');
  assert.deepEqual(autoUpdater.eventNames(), []);
});

test('the end of the process kills what is still there', (t) => {
  const { stops } = held(t);
  process.listeners('exit').pop()(); // as Electron's main process ends
  assert.deepEqual(stops.calls, ['killNow']);
});

test('without Electron there is the last resort alone', (t) => {
  const stops = decidedStops();
  const exits = process.listenerCount('exit');
  const release = holdQuit({}, stops);
  t.after(release);
  assert.equal(process.listenerCount('exit'), exits + 1);
  release();
  assert.equal(process.listenerCount('exit'), exits);
});

test("a session's end is heard from every window to come, and its question is not", () => {
  const app = new EventEmitter();
  const ends = [];
  const release = watchSystem({ app }, { stopFast: () => ends.push('end') }, {});
  const windows = [new EventEmitter(), new EventEmitter()];
  for (const window of windows) app.emit('browser-window-created', {}, window);
  windows[1].emit('query-session-end');
  assert.deepEqual(ends, []);
  windows[1].emit('session-end');
  assert.deepEqual(ends, ['end']);
  release();
  assert.deepEqual(app.eventNames(), []);
});

test(
  'an app quits only when the sidecar is gone, and freely before and after',
  { timeout: 20_000 },
  async (t) => {
    const app = new ScriptedApp({ userData: newFolder() });
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
    const app = new ScriptedApp({ userData: newFolder() });
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
  const app = new ScriptedApp({ userData: newFolder() });
  const sidecar = scripted(t, {}, { electron: { app } });
  await sidecar.start();
  const ended = next(sidecar, 'exit');
  sidecar.request('exit', { status: 3 }).catch(() => {});
  await ended;
  app.quit();
  assert.equal(app.hasQuit, true);
});
