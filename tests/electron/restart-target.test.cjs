'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { CONNECT, crash, next, started } = require('./fixtures/scripted.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });
const RESTART = Object.freeze({ restart: { delaysMs: [1] } });

/** Lets the sidecar crash, and gives what the next process was told to connect to. */
async function connectAfterCrash(sidecar) {
  const back = next(sidecar, 'process-state', ({ state }) => state === 'ready');
  await crash(sidecar, { signal: 'SIGKILL' });
  await back;
  return sidecar.request('last-connect');
}

test('after a crash the agent is sent to the room of the option', BOUND, async (t) => {
  const sidecar = await started(t, {}, RESTART);
  assert.deepEqual(await connectAfterCrash(sidecar), CONNECT);
});

test('when the agent joins and leaves stays as it was after a crash', BOUND, async (t) => {
  const needed = { join: 'needed', leaveAfterMs: 5000 };
  const connect = { ...CONNECT, ...needed };
  const sidecar = await started(t, {}, { ...RESTART, connect });
  assert.deepEqual(await connectAfterCrash(sidecar), connect);
  await sidecar.connect({ leaveAfterMs: 0 });
  assert.deepEqual(await connectAfterCrash(sidecar), { ...connect, leaveAfterMs: 0 });
  await sidecar.connect({ join: 'always' });
  assert.deepEqual(await connectAfterCrash(sidecar), {
    ...connect,
    join: 'always',
    leaveAfterMs: 0,
  });
});

test('after disconnect() a crash leaves the agent out, until connect()', BOUND, async (t) => {
  const sidecar = await started(t, {}, RESTART);
  await sidecar.disconnect();
  assert.equal(await connectAfterCrash(sidecar), null);
  await sidecar.connect();
  assert.deepEqual(await connectAfterCrash(sidecar), CONNECT);
});

test('a disconnect that the crash leaves without an answer counts', BOUND, async (t) => {
  const sidecar = await started(t, { ignores: ['disconnect'] }, RESTART);
  sidecar.disconnect().catch(() => {});
  assert.equal(await connectAfterCrash(sidecar), null);
});

test('a disconnect while no process runs counts for the next one', BOUND, async (t) => {
  const sidecar = await started(t, {}, RESTART);
  const back = next(sidecar, 'process-state', ({ state }) => state === 'ready');
  const waiting = next(sidecar, 'process-state', ({ state }) => state === 'backoff');
  crash(sidecar, { signal: 'SIGKILL' });
  await waiting;
  await assert.rejects(sidecar.disconnect(), { code: 'NOT_READY' });
  await back;
  assert.equal(await sidecar.request('last-connect'), null);
});

test('`switch` is of one connect() alone, and a crash leads to the new room', BOUND, async (t) => {
  const sidecar = await started(t, {}, RESTART);
  await sidecar.connect({ room: 'other', switch: true });
  const { switch: switches, ...there } = await sidecar.request('last-connect');
  assert.equal(switches, true);
  assert.equal(there.room, 'other');
  assert.deepEqual(await connectAfterCrash(sidecar), there);
  await sidecar.connect();
  assert.deepEqual(await sidecar.request('last-connect'), there);
});

test('after a connect to another room a crash leads there', BOUND, async (t) => {
  const sidecar = await started(t, {}, RESTART);
  await sidecar.disconnect();
  await sidecar.connect({ room: 'other', apiKey: 'k', apiSecret: 's' });
  const { token, ...where } = CONNECT;
  assert.deepEqual(await connectAfterCrash(sidecar), {
    ...where,
    room: 'other',
    identity: 'clara-voice-agent',
    apiKey: 'k',
    apiSecret: 's',
  });
});

test(
  'a connect that is refused changes nothing, and one that goes on by itself counts',
  BOUND,
  async (t) => {
    const sidecar = await started(t, {}, RESTART);
    await assert.rejects(sidecar.connect({ room: 'refused' }), { code: 1007 });
    assert.deepEqual(await connectAfterCrash(sidecar), CONNECT);
    await assert.rejects(sidecar.connect({ room: 'unreachable' }), { code: 1002 });
    assert.equal((await connectAfterCrash(sidecar)).room, 'unreachable');
  },
);

test(
  'what a connect() leaves open stays as it was, whether by undefined or by null',
  BOUND,
  async (t) => {
    const sidecar = await started(t, {}, RESTART);
    await sidecar.request('connect', { room: null, url: undefined, name: 'Clara' });
    assert.deepEqual(await connectAfterCrash(sidecar), { ...CONNECT, name: 'Clara' });
  },
);

test('a start after stop() begins anew', BOUND, async (t) => {
  const sidecar = await started(t);
  await sidecar.disconnect();
  await sidecar.stop();
  await sidecar.start();
  assert.deepEqual(await sidecar.request('last-connect'), CONNECT);
});
