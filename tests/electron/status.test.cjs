'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');

const { crash, next, notified, scripted, started } = require('./fixtures/scripted.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });
const isAvailable = ({ available }) => available;

test('the status says when voice is up, and in which room', BOUND, async (t) => {
  const sidecar = scripted(t);
  assert.deepEqual(sidecar.status, { available: false, processState: 'idle', agentState: 'idle' });
  const up = next(sidecar, 'status-changed', isAvailable);
  await sidecar.start();
  const expected = {
    available: true,
    processState: 'ready',
    agentState: 'connected',
    room: 'r',
  };
  assert.deepEqual(await up, expected);
  assert.deepEqual(sidecar.status, expected);
  const down = next(sidecar, 'status-changed', ({ processState }) => processState === 'idle');
  await sidecar.stop();
  assert.deepEqual(await down, { available: false, processState: 'idle', agentState: 'idle' });
});

test('why the agent is not in the room, and until when, is in the status', BOUND, async (t) => {
  const sidecar = scripted(t);
  const up = next(sidecar, 'status-changed', isAvailable);
  await sidecar.start();
  await up;
  const error = {
    category: 'unreachable',
    detail: 'No answer.',
    fix: 'Start it.',
    retryable: true,
  };
  await notified(sidecar, 'agent-state-changed', {
    state: 'backoff',
    previousState: 'connected',
    error,
    retryInMs: 700,
  });
  assert.deepEqual(sidecar.status, {
    available: false,
    processState: 'ready',
    agentState: 'backoff',
    room: 'r',
    error: { code: 'unreachable', message: 'No answer.', fix: 'Start it.' },
    retryInMs: 700,
  });
});

test(
  'a process that ended by itself is in the status, with the restart to come',
  BOUND,
  async (t) => {
    const sidecar = await started(t, {}, { restart: { delaysMs: [60_000] } });
    const waiting = next(
      sidecar,
      'status-changed',
      ({ processState }) => processState === 'backoff',
    );
    await crash(sidecar, { status: 3 });
    const { error, retryInMs, available } = await waiting;
    assert.deepEqual([available, error.code, retryInMs], [false, 'EXITED', 60_000]);
    assert.match(error.fix, /log/);
  },
);

test('a status that did not change is not told', BOUND, async (t) => {
  const sidecar = scripted(t);
  const told = [];
  sidecar.on('status-changed', (status) => told.push(JSON.stringify(status)));
  const up = next(sidecar, 'status-changed', isAvailable);
  await sidecar.start();
  await up;
  const change = { state: 'connected', previousState: 'connected' };
  await notified(sidecar, 'agent-state-changed', change);
  assert.equal(new Set(told).size, told.length);
});

test("Node's events.once waits for an event of a sidecar", BOUND, async (t) => {
  const sidecar = scripted(t);
  const starting = once(sidecar, 'process-state');
  const start = sidecar.start();
  const [{ state }] = await starting;
  await start;
  assert.equal(state, 'starting');
});

test('each call of the sidecar has a method of its name', BOUND, async (t) => {
  const sidecar = await started(t);
  await sidecar.wake();
  assert.deepEqual(await sidecar.request('last-wake'), { reason: 'network-online' });
  await sidecar.wake('system-resume');
  assert.deepEqual(await sidecar.request('last-wake'), { reason: 'system-resume' });
  for (const name of ['getStatus', 'diagnose']) {
    assert.deepEqual(await sidecar[name](), { asked: name });
  }
});

test('every crash, restart and end of them is a line in the log', BOUND, async (t) => {
  const sidecar = await started(t, {}, { restart: { max: 1, delaysMs: [1] } });
  const lines = [];
  sidecar.on('log', ({ level, message }) => level === 'error' && lines.push(message));
  const back = next(sidecar, 'process-state', ({ state }) => state === 'ready');
  await crash(sidecar, { status: 3 });
  await back;
  const failed = next(sidecar, 'process-state', ({ state }) => state === 'failed');
  await crash(sidecar, { status: 3 });
  await failed;
  assert.deepEqual(lines, [
    'The sidecar ended with status 3. It is started again in 1 ms.',
    'There is no sidecar: The sidecar ended again and again and is not started any more. The ' +
      'sidecar ended with status 3. Look into the log for the cause; start() tries again.',
  ]);
});

test('an environment over the limit of the system is named as the cause', BOUND, async (t) => {
  const env = { ...process.env, TOO_LONG: 'x'.repeat(4 * 1024 * 1024) };
  await assert.rejects(scripted(t, {}, { env }).start(), {
    code: 'BLOCKED',
    message: /E2BIG.*The environment is larger than the system allows: give `env`/,
  });
});

test('what is absent of Electron is said once, with what it costs', BOUND, async (t) => {
  const logger = { debug() {}, info: (line) => lines.push(line), warn() {}, error() {} };
  const lines = [];
  const sidecar = await started(t, {}, { electron: undefined, logger });
  await sidecar.stop();
  await sidecar.start();
  assert.equal(lines.filter((line) => line.includes('There is no Electron')).length, 1);
});
