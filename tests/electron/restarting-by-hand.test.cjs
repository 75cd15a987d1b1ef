'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/index.cjs');
const { newFolder } = require('./fixtures/folders.cjs');
const { crash, next, notified, session, statesOf } = require('./fixtures/scripted.cjs');
const { SOON, eventsOf, ready, withSessions } = require('./fixtures/with-sessions.cjs');

const BOUND = Object.freeze({ timeout: 30_000 });
const LATER = Object.freeze({ restart: { max: 3, windowMs: 600_000, delaysMs: [600_000] } });
const code = (expected) => (error) => error instanceof SidecarError && error.code === expected;

test('stop() during backoff ends it at once, and the sessions with it', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice'], {}, LATER);
  const states = statesOf(sidecar);
  const seen = eventsOf(sidecar);
  await crash(sidecar, { status: 3 });
  await assert.rejects(sidecar.request('ping'), code('NOT_READY'));
  await sidecar.stop();
  await sidecar.stop();
  assert.deepEqual(states, ['backoff', 'idle']);
  assert.equal(seen[seen.length - 1], 'closed alice sidecar-exited');
  assert.deepEqual(sidecar.sessions, []);
  await sidecar.start();
  assert.equal(await sidecar.request('ping'), 'pong');
});

for (const [end, reason] of [
  [(sidecar) => sidecar.stop(), 'sidecar-stopped'],
  [(sidecar) => crash(sidecar, { status: 3 }), 'sidecar-exited'],
]) {
  test(`the agent's last change says why it is out: ${reason}`, BOUND, async (t) => {
    const sidecar = await withSessions(t, [], {}, { restart: false });
    const told = next(sidecar, 'agent-state-changed');
    await end(sidecar);
    const { state, reason: why } = await told;
    assert.deepEqual([state, why], ['idle', reason]);
  });
}

test('start() during backoff ends the wait', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice'], {}, LATER);
  await crash(sidecar, { status: 3 });
  await sidecar.start();
  assert.equal(sidecar.processState, 'ready');
  const { resume } = await sidecar.request('last-initialize');
  assert.equal(resume.length, 1);
});

test('a listener that stops it in the middle of a crash breaks nothing', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice', 'bob']);
  const seen = eventsOf(sidecar);
  const stopped = new Promise((resolve) => {
    sidecar.on('session-updated', () => resolve(sidecar.stop()));
  });
  await crash(sidecar, { status: 3 });
  await stopped;
  assert.deepEqual(seen, [
    'alice reconnecting (connectionState)',
    'bob reconnecting (connectionState)',
    'agent connected > idle',
    'closed alice sidecar-exited',
    'closed bob sidecar-exited',
  ]);
  assert.equal(sidecar.processState, 'idle');
});

test('a listener may stop it and start it at once', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice'], {}, LATER);
  const again = new Promise((resolve) => {
    const listener = () => {
      sidecar.off('exit', listener);
      sidecar.stop();
      resolve(sidecar.start());
    };
    sidecar.on('exit', listener);
  });
  await crash(sidecar, { status: 3 });
  await again;
  assert.equal(await sidecar.request('ping'), 'pong');
});

test('seq and epoch go on over stop() and start()', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  const events = [];
  for (const name of ['session-created', 'session-closed', 'agent-state-changed']) {
    sidecar.on(name, ({ seq, epoch }) => events.push([seq, epoch]));
  }
  await sidecar.stop();
  const joined = next(sidecar, 'agent-state-changed');
  await sidecar.start();
  await joined;
  const [[first, epoch]] = events;
  assert.deepEqual(
    events,
    events.map((_, place) => [first + place, epoch]),
  );
  assert.ok(events.length >= 3);
});

test('a restart that cannot be spawned is the last one', BOUND, async (t) => {
  const folder = newFolder();
  const sidecar = await withSessions(t, ['alice'], {}, { ...SOON, cwd: folder });
  const failed = next(sidecar, 'process-state', ({ state }) => state === 'failed');
  await crash(sidecar, { status: 3 });
  fs.rmdirSync(folder); // not before: on Windows it was the sidecar's
  assert.ok(code('BAD_CWD')((await failed).error));
  assert.deepEqual(sidecar.sessions, []);
});

test('dispose() is a stop for good', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  await Promise.all([sidecar.dispose(), sidecar.dispose()]);
  assert.equal(sidecar.processState, 'idle');
  for (const call of [
    () => sidecar.start(),
    () => sidecar.request('ping'),
    () => sidecar.listSessions(),
    () => sidecar.createConnection(),
    () => sidecar.closeSession('x'),
  ]) {
    await assert.rejects(call, (error) => code('STOPPED')(error) && /dispose/.test(error.message));
  }
  await sidecar.stop();
});

test('what a stop leaves open closes with sidecar-exited, once it is killed', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice', 'bob'], {
    stubborn: ['shutdown', 'end', 'SIGTERM'],
  });
  const seen = eventsOf(sidecar);
  const bob = session('bob', { connectionState: 'closed', endTime: '2026-01-01T00:01:00.000Z' });
  const asking = notified(sidecar, 'session-closed', { session: bob, reason: 'sidecar-shutdown' });
  const stopping = sidecar.stop();
  await asking;
  await sidecar.stop();
  await stopping;
  assert.deepEqual(seen, [
    'closed bob sidecar-shutdown',
    'closed alice sidecar-exited',
    'agent connected > idle',
  ]);
});

test('stop() while it is being restarted leaves nothing running', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  const states = statesOf(sidecar);
  const starting = next(sidecar, 'process-state', ({ state }) => state === 'starting');
  await crash(sidecar, { status: 3 });
  await starting;
  await sidecar.stop();
  assert.deepEqual(states, ['backoff', 'starting', 'stopping', 'idle']);
  assert.deepEqual(sidecar.sessions, []);
});

test('an end before it is ready, on a restart, is one more crash', BOUND, async (t) => {
  const folder = newFolder();
  const script = { exitUnless: path.join(folder, 'allowed') };
  fs.writeFileSync(script.exitUnless, '');
  const sidecar = await withSessions(t, ['alice'], script);
  const seen = eventsOf(sidecar);
  fs.rmSync(script.exitUnless);
  const failed = next(sidecar, 'process-state', ({ state }) => state === 'failed');
  const exits = [];
  sidecar.on('exit', ({ code: status, willRestart }) => exits.push([status, willRestart]));
  await crash(sidecar, { status: 3 });
  assert.ok(code('CRASH_LOOP')((await failed).error));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(exits, [
    [3, true],
    [4, true],
    [4, true],
    [4, false],
  ]);
  assert.deepEqual(
    seen.filter((line) => !line.startsWith('agent')),
    ['alice reconnecting (connectionState)', 'closed alice sidecar-exited'],
  );
});

test(
  'a line of 20 MB is skipped with a warning, and the conversation goes on',
  BOUND,
  async (t) => {
    const sidecar = await withSessions(t, ['alice']);
    const warned = next(sidecar, 'log', ({ level }) => level === 'warning');
    await sidecar.request('write-line', { bytes: 20 * 1024 * 1024 });
    assert.equal((await warned).message, 'The sidecar wrote a line over 16777216 bytes.');
    assert.equal(await sidecar.request('ping'), 'pong');
    assert.equal(sidecar.sessions.length, 1);
  },
);
