'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/index.cjs');
const { liveness } = require('./fixtures/liveness.cjs');
const {
  assertForced,
  crash,
  next,
  notified,
  scripted,
  session,
  started,
  statesOf,
} = require('./fixtures/scripted.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });
const NO_RESTART = Object.freeze({ restart: false });
const code = (expected) => (error) => error instanceof SidecarError && error.code === expected;

test(
  'a crash fails what was asked with EXITED, its status and last words, and is told',
  BOUND,
  async (t) => {
    const sidecar = await started(t, {}, NO_RESTART);
    const states = statesOf(sidecar);
    const asking = sidecar.request('hold');
    const ended = await crash(sidecar, { status: 3, lastWords: 'out of memory' });
    assert.deepEqual(ended, {
      code: 3,
      signal: null,
      stderrTail: ['out of memory'],
      willRestart: false,
    });
    await assert.rejects(asking, (error) => {
      assert.ok(code('EXITED')(error));
      assert.deepEqual(
        [error.exitCode, error.signal, error.stderrTail],
        [3, null, ['out of memory']],
      );
      // A line of stderr may hold anything, and a page gets the message.
      assert.equal(error.message, 'The sidecar ended with status 3.');
      return true;
    });
    assert.deepEqual(states, ['failed']);
  },
);

test('a death by a signal names it', BOUND, async (t) => {
  const sidecar = await started(t);
  assertForced(await crash(sidecar, { signal: 'SIGKILL' }), 'SIGKILL');
});

test('a sidecar that ends with status 0 without being asked to has failed', BOUND, async (t) => {
  const sidecar = await started(t, {}, NO_RESTART);
  await crash(sidecar, { status: 0 });
  assert.equal(sidecar.processState, 'failed');
});

test(
  'a sidecar that no longer reads is ended, and what was asked of it fails with EXITED',
  BOUND,
  async (t) => {
    const sidecar = await started(t);
    assert.equal(await sidecar.request('go-deaf'), 'deaf');
    const ended = next(sidecar, 'exit');
    await assert.rejects(sidecar.request('ping'), code('EXITED'));
    assertForced(await ended, 'SIGTERM');
  },
);

test('stop() in idle and in failed is done at once', BOUND, async (t) => {
  const sidecar = scripted(t, { exitAtOnce: 3 });
  await sidecar.stop();
  assert.equal(sidecar.processState, 'idle');
  await assert.rejects(sidecar.start(), code('EXITED'));
  await sidecar.stop();
  assert.equal(sidecar.processState, 'idle');
});

test(
  'stop() while starting fails the start, and what waits for it, with STOPPED',
  BOUND,
  async (t) => {
    const sidecar = scripted(t, { initialize: 'never' });
    const states = statesOf(sidecar);
    const starting = sidecar.start();
    const asking = sidecar.request('ping');
    const stopping = sidecar.stop();
    await assert.rejects(starting, code('STOPPED'));
    await assert.rejects(asking, code('STOPPED'));
    await stopping;
    assert.deepEqual(states, ['starting', 'stopping', 'idle']);
  },
);

test('an answer that comes after stop() makes nothing ready', BOUND, async (t) => {
  const sidecar = scripted(t, { initialize: 'at-shutdown' });
  const states = statesOf(sidecar);
  const starting = sidecar.start();
  await sidecar.stop();
  await assert.rejects(starting, code('STOPPED'));
  assert.deepEqual(states, ['starting', 'stopping', 'idle']);
});

test(
  'stop() when ready asks by shutdown, ends in status 0, and leaves open requests STOPPED',
  BOUND,
  async (t) => {
    const sidecar = await started(t, { stubborn: ['end'] });
    const ended = next(sidecar, 'exit');
    const asking = sidecar.request('hold');
    const stopping = sidecar.stop();
    assert.equal(sidecar.processState, 'stopping');
    await assert.rejects(sidecar.request('ping'), code('STOPPED'));
    await assert.rejects(sidecar.start(), code('STOPPED'));
    await assert.rejects(asking, code('STOPPED'));
    await stopping;
    assert.equal((await ended).code, 0);
    assert.equal(sidecar.processState, 'idle');
  },
);

test(
  'stop() ends a sidecar that does not know shutdown by the end of its stdin',
  BOUND,
  async (t) => {
    const sidecar = await started(t, { stubborn: ['shutdown'] });
    const ended = next(sidecar, 'exit');
    await sidecar.stop();
    assert.equal((await ended).code, 0);
  },
);

test('what a sidecar says while it drains still arrives', BOUND, async (t) => {
  const sidecar = await started(t);
  await notified(sidecar, 'session-created', { session: session('alice') });
  const closed = next(sidecar, 'session-closed');
  const ended = session('alice', { connectionState: 'closed' });
  const asking = notified(sidecar, 'session-closed', { session: ended, reason: 'left' });
  await sidecar.stop();
  assert.equal((await closed).reason, 'left');
  assert.equal(await asking, null);
});

test('a second stop() kills at once', BOUND, async (t) => {
  const sidecar = await started(t, { stubborn: ['shutdown', 'end', 'SIGTERM'] });
  const ended = next(sidecar, 'exit');
  t.mock.timers.enable({ apis: ['setTimeout'] }); // the ladder would kill as well, later
  const stopping = sidecar.stop();
  await sidecar.stop();
  await stopping;
  assertForced(await ended, 'SIGKILL');
});

test("a sidecar that ignores everything is gone at the ladder's end", BOUND, async (t) => {
  const { port, arrived, gone } = await liveness(t);
  const script = { stubborn: ['shutdown', 'end', 'SIGTERM'], liveness: port, heir: 'in-group' };
  const sidecar = await started(t, script);
  await arrived(2);
  const ended = next(sidecar, 'exit');
  await sidecar.stop();
  assertForced(await ended, 'SIGKILL');
  await gone(2);
});

test(
  'a process that a sidecar left behind with its pipes does not hold up the stop',
  BOUND,
  async (t) => {
    const { port, arrived, gone } = await liveness(t);
    const sidecar = await started(t, { liveness: port, heir: 'own-group' });
    await arrived(2);
    await sidecar.stop();
    await gone(1);
  },
);

test('after a stop it can be started again', BOUND, async (t) => {
  const sidecar = await started(t);
  const first = await sidecar.request('surroundings');
  await sidecar.stop();
  await sidecar.start();
  assert.notEqual((await sidecar.request('surroundings')).pid, first.pid);
});

test('each stop() is done when its own process is gone', BOUND, async (t) => {
  const sidecar = await started(t);
  for (const round of ['first', 'second']) {
    await sidecar.start();
    await sidecar.stop();
    assert.equal(sidecar.processState, 'idle', round);
  }
});

test('a connect that the stop leaves unanswered is not logged as refused', BOUND, async (t) => {
  const sidecar = await started(t, { connect: 'at-shutdown' });
  const messages = [];
  sidecar.on('log', ({ message }) => messages.push(message));
  await sidecar.stop();
  assert.deepEqual(messages, []);
});

test('what was not sent for want of a process says what to do about it', BOUND, async (t) => {
  const sidecar = scripted(t, {}, { restart: { delaysMs: [600_000] } });
  const fix = () => sidecar.request('ping').then(assert.fail, (error) => error.fix);
  assert.equal(await fix(), 'Call start() first.');
  await sidecar.start();
  await crash(sidecar, { status: 3 });
  assert.equal(await fix(), 'It is started again soon.');
});

test('the broken pipes of the app are held from the first start to dispose()', BOUND, async (t) => {
  const streams = [process.stdout, process.stderr];
  const held = () => streams.map((stream) => stream.listenerCount('error'));
  const before = held();
  const sidecar = scripted(t);
  for (const round of ['first', 'second']) {
    await sidecar.start();
    const once = before.map((count) => count + 1);
    assert.deepEqual(held(), once, round);
    await sidecar.stop();
    assert.deepEqual(held(), once, round);
  }
  await sidecar.dispose();
  assert.deepEqual(held(), before);
});

test('a listener may start it again as soon as it has failed', BOUND, async (t) => {
  const sidecar = await started(t, {}, NO_RESTART);
  const ready = next(sidecar, 'process-state', ({ state }) => state === 'ready');
  sidecar.on('process-state', ({ state }) => {
    if (state === 'failed') sidecar.start();
  });
  await crash(sidecar, { status: 3 });
  await ready;
  assert.equal(await sidecar.request('ping'), 'pong');
});
