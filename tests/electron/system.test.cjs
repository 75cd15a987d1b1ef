'use strict';

const assert = require('node:assert/strict');
const childProcess = require('node:child_process');
const EventEmitter = require('node:events');
const { test } = require('node:test');

const { ScriptedApp } = require('./fixtures/scripted-app.cjs');
const { liveness } = require('./fixtures/liveness.cjs');
const {
  assertForced,
  crash,
  frozen,
  next,
  scripted,
  statesOf,
} = require('./fixtures/scripted.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });
const STUBBORN = Object.freeze(['end', 'shutdown', 'SIGTERM']);

/** A sidecar of an Electron app whose system the test plays. */
function system(t, script = {}, options = {}) {
  const app = new ScriptedApp();
  const electron = { app, powerMonitor: new EventEmitter(), autoUpdater: new EventEmitter() };
  const sidecar = scripted(t, script, { electron, ...options });
  return { sidecar, ...electron };
}

/** Lets more time pass than a few milliseconds, and all that is due within happen. */
async function someTime() {
  const passing = childProcess.spawn(process.execPath, ['-e', '']);
  await EventEmitter.once(passing, 'exit');
}

test('a deadline that falls into the sleep of the system is met after it', BOUND, async (t) => {
  const { sidecar, powerMonitor } = system(t);
  await sidecar.start();
  const goOn = await frozen(sidecar);
  powerMonitor.emit('suspend');
  let isLate = false;
  const asked = sidecar.request('ping', undefined, { timeoutMs: 20 });
  asked.catch(() => (isLate = true));
  await someTime();
  assert.equal(isLate, false);
  goOn();
  assert.equal(await asked, 'pong');
  const hanging = sidecar.request('hold', undefined, { timeoutMs: 20 });
  powerMonitor.emit('resume');
  await assert.rejects(hanging, { code: 'TIMEOUT' });
});

test('a wake-up of the system is told to the sidecar', BOUND, async (t) => {
  const { sidecar, powerMonitor } = system(t);
  await sidecar.start();
  powerMonitor.emit('suspend');
  powerMonitor.emit('resume');
  assert.deepEqual(await sidecar.request('last-wake'), { reason: 'system-resume' });
});

test('a sidecar that was given up gets one more process for each wake-up', BOUND, async (t) => {
  const restart = { max: 0, windowMs: 60_000, delaysMs: [1] };
  const { sidecar, powerMonitor } = system(t, {}, { restart });
  await sidecar.start();
  const states = statesOf(sidecar);
  for (let count = 0; count < 2; count += 1) {
    await crash(sidecar, { status: 3 });
    assert.equal(sidecar.processState, 'failed');
    const ready = next(sidecar, 'process-state', ({ state }) => state === 'ready');
    powerMonitor.emit('resume');
    powerMonitor.emit('resume');
    await sidecar.start(); // joins that process
    await ready;
  }
  assert.deepEqual(states, ['failed', 'starting', 'ready', 'failed', 'starting', 'ready']);
});

test('a sidecar that nobody started is not started by a wake-up', async (t) => {
  const { sidecar, powerMonitor } = system(t);
  await new Promise(setImmediate);
  assert.equal(powerMonitor.listenerCount('resume'), 1);
  powerMonitor.emit('resume');
  assert.equal(sidecar.processState, 'idle');
});

for (const [what, end] of [
  ['a stop', ({ sidecar }) => sidecar.stop()],
  ['a quit', ({ app }) => app.quit()],
  ['a shutdown', ({ powerMonitor }) => powerMonitor.emit('shutdown')],
]) {
  for (const when of ['before', 'after']) {
    test(`${what} ends a sidecar that hangs, with a suspend ${when} it alone`, BOUND, async (t) => {
      const { port, arrived, gone } = await liveness(t);
      const world = system(t, { stubborn: STUBBORN, liveness: port });
      await world.sidecar.start();
      await arrived(1);
      if (when === 'before') world.powerMonitor.emit('suspend');
      end(world);
      if (when === 'after') world.powerMonitor.emit('suspend');
      await gone(1);
    });
  }
}

/** [what ends, how the app hears of it] */
const ENDS = [
  ['the system', ({ powerMonitor }) => powerMonitor.emit('shutdown')],
  [
    "the user's session",
    ({ app }) => {
      const window = new EventEmitter();
      app.emit('browser-window-created', {}, window);
      window.emit('session-end');
    },
  ],
  ['an update', ({ autoUpdater }) => autoUpdater.emit('before-quit-for-update')],
];
for (const [what, end] of ENDS) {
  test(`the end of ${what} is an orderly stop of a sidecar that can`, BOUND, async (t) => {
    const world = system(t);
    await world.sidecar.start();
    const ended = next(world.sidecar, 'exit');
    end(world);
    assert.deepEqual(
      [world.sidecar.processState, (await ended).code, (await ended).signal],
      ['stopping', 0, null],
    );
  });

  test(`the end of ${what} ends a sidecar that hangs within a second or so`, BOUND, async (t) => {
    const { port, arrived, gone } = await liveness(t);
    const world = system(t, { stubborn: STUBBORN, liveness: port });
    await world.sidecar.start();
    await arrived(1);
    const ended = next(world.sidecar, 'exit');
    end(world);
    await gone(1);
    assertForced(await ended, 'SIGKILL'); // the usual ladder would have sent SIGTERM
  });
}

test('the quit of an update waits for the sidecar, which has a second', BOUND, async (t) => {
  const { port, gone } = await liveness(t);
  const { sidecar, app, autoUpdater } = system(t, { stubborn: STUBBORN, liveness: port });
  await sidecar.start();
  const quit = EventEmitter.once(app, 'quit');
  autoUpdater.emit('before-quit-for-update');
  app.quit();
  assert.equal(app.hasQuit, false);
  await quit;
  await gone(1);
  assert.deepEqual([app.quits, autoUpdater.eventNames()], [2, []]);
});

test('an update while no sidecar runs is none of its business', (t) => {
  const { sidecar, autoUpdater, app } = system(t);
  autoUpdater.emit('before-quit-for-update');
  app.quit();
  assert.deepEqual([sidecar.processState, app.hasQuit], ['idle', true]);
});

test('dispose() leaves no listener anywhere', BOUND, async (t) => {
  const { sidecar, app, powerMonitor, autoUpdater } = system(t);
  await sidecar.start();
  await sidecar.dispose();
  const left = [app, powerMonitor, autoUpdater].map((each) => each.eventNames());
  assert.deepEqual(left, [[], [], []]);
});

test('stop() leaves only what hears of the system', BOUND, async (t) => {
  const { sidecar, app, powerMonitor, autoUpdater } = system(t);
  await sidecar.start();
  await sidecar.stop();
  assert.deepEqual(app.eventNames(), ['browser-window-created']);
  assert.deepEqual(powerMonitor.eventNames(), ['suspend', 'resume', 'shutdown']);
  assert.deepEqual(autoUpdater.eventNames(), []);
});
