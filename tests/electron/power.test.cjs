'use strict';

const assert = require('node:assert/strict');
const EventEmitter = require('node:events');
const { test } = require('node:test');

const { wake, watchSystem } = require('../../electron-bridge/lib/electron/system.cjs');

/** Electron's app before it is ready, and its powerMonitor, which must not be touched until then. */
function electron() {
  let becomeReady;
  const ready = new Promise((resolve) => (becomeReady = resolve));
  const powerMonitor = new EventEmitter();
  return {
    app: Object.assign(new EventEmitter(), { whenReady: () => ready }),
    powerMonitor,
    becomeReady: async () => {
      becomeReady();
      await new Promise(setImmediate);
    },
    heard: [],
  };
}

function watched() {
  const world = electron();
  const hears = (name) => () => world.heard.push(name);
  const supervisor = {
    suspend: hears('suspend'),
    systemResumed: hears('resume'),
    stopFast: hears('shutdown'),
  };
  const sidecar = { processState: 'ready', wake: async (reason) => world.heard.push(reason) };
  return { ...world, end: watchSystem(world, supervisor, sidecar) };
}

test('nothing is asked of powerMonitor before Electron is ready', async () => {
  const { powerMonitor, becomeReady, heard } = watched();
  assert.deepEqual(powerMonitor.eventNames(), []);
  await becomeReady();
  for (const name of ['suspend', 'resume', 'shutdown']) powerMonitor.emit(name);
  assert.deepEqual(heard, ['suspend', 'resume', 'system-resume', 'shutdown']);
});

test('once ended, nothing is left, whether that was before Electron was ready or after', async () => {
  const left = ({ app, powerMonitor }) => [...app.eventNames(), ...powerMonitor.eventNames()];
  const early = watched();
  early.end();
  await early.becomeReady();
  assert.deepEqual(left(early), []);

  const late = watched();
  await late.becomeReady();
  late.end();
  assert.deepEqual(left(late), []);
});

test('a sidecar that is ready is told, and no other is', () => {
  for (const processState of ['idle', 'starting', 'ready', 'backoff', 'stopping', 'failed']) {
    const sent = [];
    wake({ processState, wake: async (reason) => sent.push(reason) }, 'network-online');
    assert.deepEqual(sent, processState === 'ready' ? ['network-online'] : []);
  }
});

test('a sidecar that goes just then is no error', async () => {
  const sidecar = { processState: 'ready', wake: () => Promise.reject(new Error('gone')) };
  wake(sidecar, 'system-resume');
  await new Promise(setImmediate); // an unhandled rejection would end the process
});
