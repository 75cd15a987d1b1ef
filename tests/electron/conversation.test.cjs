'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { RpcError, SidecarError } = require('../../electron-bridge/index.cjs');
const { MAX_WAITING_BYTES } = require('../../electron-bridge/lib/rpc/client.cjs');
const {
  RecordingLogger,
  crash,
  frozen,
  next,
  notified,
  scripted,
  session,
  started,
} = require('./fixtures/scripted.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });
const code = (expected) => (error) => error instanceof SidecarError && error.code === expected;

test(
  "an error answer is an RpcError with the sidecar's code, message and data",
  BOUND,
  async (t) => {
    const sidecar = await started(t);
    await assert.rejects(sidecar.request('nonsense'), (error) => {
      assert.ok(error instanceof RpcError);
      assert.deepEqual(
        [error.code, error.message, error.data],
        [-32601, 'Method not found', { fix: '.' }],
      );
      return true;
    });
  },
);

test('text of every kind survives both ways', BOUND, async (t) => {
  const sidecar = await started(t);
  const params = { text: '🎤 \u2028 \u2029 \r\n \u0000 ü 漢', long: 'ü'.repeat(1_000_000) };
  assert.deepEqual(await sidecar.request('echo', params), params);
});

test(
  'a request not answered in time is TIMEOUT, and its late answer disturbs nothing',
  BOUND,
  async (t) => {
    const sidecar = await started(t, {}, { requestTimeoutMs: 1 });
    await assert.rejects(sidecar.request('hold'), code('TIMEOUT'));
    const patient = { timeoutMs: 10_000 };
    assert.equal(await sidecar.request('release', {}, patient), 'released');
    assert.equal(await sidecar.request('ping', undefined, patient), 'pong');
  },
);

test('an aborted request is ABORTED, and its late answer disturbs nothing', BOUND, async (t) => {
  const sidecar = await started(t);
  const abort = new AbortController();
  const asking = sidecar.request('hold', {}, { signal: abort.signal });
  assert.equal(await sidecar.request('ping'), 'pong');
  abort.abort();
  await assert.rejects(asking, code('ABORTED'));
  assert.equal(await sidecar.request('release'), 'released');
  assert.equal(await sidecar.request('ping'), 'pong');
});

test('stray prints on the wire are warned about, and the answers arrive', BOUND, async (t) => {
  const sidecar = await started(t);
  const warned = next(sidecar, 'log', ({ message }) =>
    message.includes('not JSON-RPC 2.0: Loading'),
  );
  await sidecar.request('write', { stdout: 'Loading...\n\n\r\n{"half": \n' });
  assert.equal((await warned).level, 'warning');
  assert.equal(await sidecar.request('ping'), 'pong');
});

test('over 8 MiB that a sidecar does not read are BUSY', BOUND, async (t) => {
  const sidecar = await started(t);
  const goOn = await frozen(sidecar);
  const text = 'x'.repeat(MAX_WAITING_BYTES - 1000);
  const large = sidecar.request('echo', { text });
  await assert.rejects(sidecar.request('echo', { text }), code('BUSY'));
  goOn();
  assert.equal((await large).text.length, text.length);
});

test(
  'without a run a request is NOT_READY: before the start, after a stop and after a crash',
  BOUND,
  async (t) => {
    const sidecar = scripted(t);
    await assert.rejects(sidecar.request('ping'), code('NOT_READY'));
    await sidecar.start();
    await sidecar.stop();
    await assert.rejects(sidecar.listSessions(), code('NOT_READY'));
    await sidecar.start();
    await crash(sidecar, { status: 3 });
    await assert.rejects(sidecar.request('ping'), code('NOT_READY'));
  },
);

test('sessions are events with their params, and add up to `sessions`', BOUND, async (t) => {
  const sidecar = await started(t);
  const seen = [];
  for (const name of ['session-created', 'session-updated', 'session-closed']) {
    sidecar.on(name, ({ seq, epoch, ...params }) => seen.push([name, params]));
  }
  const created = session('alice');
  const updated = { ...created, connectionState: 'connected' };
  const closed = { ...updated, connectionState: 'closed', endTime: '2026-01-01T00:00:09.000Z' };
  const changed = ['connectionState'];
  await notified(sidecar, 'session-created', { session: created });
  assert.deepEqual(sidecar.sessions, [created]);
  await notified(sidecar, 'session-updated', { session: updated, changed });
  assert.deepEqual(sidecar.sessions, [updated]);
  await notified(sidecar, 'of-tomorrow', {});
  await notified(sidecar, 'session-closed', { session: closed, reason: 'left', detail: 'X' });
  assert.deepEqual(sidecar.sessions, []);
  assert.deepEqual(seen, [
    ['session-created', { session: created }],
    ['session-updated', { session: updated, changed }],
    ['session-closed', { session: closed, reason: 'left', detail: 'X' }],
  ]);
});

test('a notification that is none is warned about, and the next one arrives', BOUND, async (t) => {
  const sidecar = await started(t);
  const warned = next(sidecar, 'log', ({ level }) => level === 'warning');
  await notified(sidecar, 'session-created', { session: null });
  const { message } = await warned;
  assert.equal(message, 'The sidecar sent a "session-created" that is none: it has no session.');
  await notified(sidecar, 'session-created', { session: session('alice') });
  assert.equal(sidecar.sessions.length, 1);
});

test('agentState is what was last told, and idle without a run', BOUND, async (t) => {
  const sidecar = scripted(t);
  assert.equal(sidecar.agentState, 'idle');
  const connected = next(sidecar, 'agent-state-changed');
  await sidecar.start();
  await connected;
  assert.equal(sidecar.agentState, 'connected');
  await crash(sidecar, { status: 3 });
  assert.equal(sidecar.agentState, 'idle');
});

test(
  'a listener that throws is logged, and the listeners and lines behind it go on',
  BOUND,
  async (t) => {
    const logger = new RecordingLogger();
    const sidecar = await started(t, {}, { logger });
    const seen = [];
    sidecar.on('session-created', () => {
      throw new Error('the app has a bug');
    });
    sidecar.on('log', () => {
      throw new Error('here, too');
    });
    sidecar.on('session-created', () => seen.push('second listener'));
    await notified(sidecar, 'session-created', { session: session('alice') });
    await sidecar.request('write', { stderr: 'a line\n' });
    assert.equal(await sidecar.request('ping'), 'pong');
    await sidecar.stop();
    assert.deepEqual(seen, ['second listener']);
    const errors = logger.lines.filter(([method]) => method === 'error').map(([, text]) => text);
    assert.match(errors[0], /^A listener of "session-created" threw: Error: the app has a bug\n/);
    assert.match(errors[1], /^A listener of "log" threw: Error: here, too\n/);
  },
);

test('off() takes a listener away', BOUND, async (t) => {
  const sidecar = await started(t);
  const seen = [];
  const listener = (event) => seen.push(event);
  sidecar.on('session-created', listener);
  sidecar.off('session-created', listener);
  await notified(sidecar, 'session-created', { session: session('alice') });
  assert.deepEqual(seen, []);
});

test(
  "the sidecar's log lines reach the logger whole, also those cut by the pipe",
  BOUND,
  async (t) => {
    const logger = new RecordingLogger();
    const sidecar = await started(t, {}, { logger });
    const message = '🎤 Participant joined: alice';
    const line = JSON.stringify({ time: 'now', level: 'info', logger: 'agent', message });
    const middle = line.length / 2;
    await sidecar.request('write', { stderr: line.slice(0, middle) });
    await sidecar.request('write', { stderr: `${line.slice(middle)}\n` });
    await sidecar.stop();
    assert.deepEqual(logger.lines, [['info', message]]);
  },
);
