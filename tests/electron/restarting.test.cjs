'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/index.cjs');
const {
  crash,
  next,
  notified,
  scripted,
  session,
  started,
  statesOf,
} = require('./fixtures/scripted.cjs');

const BOUND = Object.freeze({ timeout: 30_000 });
const SOON = Object.freeze({ restart: { max: 3, windowMs: 600_000, delaysMs: [1] } });
const code = (expected) => (error) => error instanceof SidecarError && error.code === expected;

/** The next time it is ready. */
const ready = (sidecar) => next(sidecar, 'process-state', ({ state }) => state === 'ready');

/** Records sessions' and the agent's events, in short. */
function eventsOf(sidecar) {
  const seen = [];
  sidecar.on('session-created', ({ session }) => seen.push(`created ${session.participantId}`));
  sidecar.on('session-updated', ({ session, changed }) =>
    seen.push(`${session.participantId} ${session.connectionState} (${changed.join()})`),
  );
  sidecar.on('session-closed', ({ session, reason }) =>
    seen.push(`closed ${session.participantId} ${reason}`),
  );
  sidecar.on('agent-state-changed', ({ state, previousState }) =>
    seen.push(`agent ${previousState} > ${state}`),
  );
  return seen;
}

/** A ready sidecar with these sessions, connected. */
async function withSessions(t, identities, script, options = SOON) {
  const sidecar = scripted(t, script, options);
  const joined = next(sidecar, 'agent-state-changed');
  await sidecar.start();
  await joined;
  for (const identity of identities) {
    await notified(sidecar, 'session-created', { session: session(identity) });
    const connected = session(identity, { connectionState: 'connected', name: 'N' });
    await notified(sidecar, 'session-updated', { session: connected });
  }
  return sidecar;
}

test(
  'a crash: sessions wait, go on in the next process, and only what differs is told',
  BOUND,
  async (t) => {
    const sidecar = await withSessions(t, ['alice', 'bob']);
    const seen = eventsOf(sidecar);
    const states = statesOf(sidecar);
    const back = ready(sidecar);
    const { willRestart } = await crash(sidecar, { signal: 'SIGKILL' });
    assert.equal(willRestart, true);
    assert.deepEqual(seen, [
      'alice reconnecting (connectionState)',
      'bob reconnecting (connectionState)',
      'agent connected > idle',
    ]);
    assert.equal(sidecar.agentState, 'idle');
    await back;
    const { resume } = await sidecar.request('last-initialize');
    assert.deepEqual(resume, [
      {
        sessionId: session('alice').sessionId,
        participantId: 'alice',
        participantSid: 'PA_alice',
        roomName: 'r',
        startTime: '2026-01-01T00:00:00.000Z',
        messageCount: 0,
      },
      {
        ...resume[0],
        sessionId: session('bob').sessionId,
        participantId: 'bob',
        participantSid: 'PA_bob',
      },
    ]);
    seen.length = 0;
    const alice = session('alice', { connectionState: 'connected', name: 'N' });
    await notified(sidecar, 'session-updated', {
      session: alice,
      changed: ['connectionState', 'name'],
    });
    const gone = session('bob', { connectionState: 'closed', endTime: '2026-01-01T00:01:00.000Z' });
    await notified(sidecar, 'session-closed', { session: gone, reason: 'left-during-reconnect' });
    assert.deepEqual(seen, [
      'alice connected (connectionState)',
      'closed bob left-during-reconnect',
    ]);
    assert.deepEqual(states, ['backoff', 'starting', 'ready']);
    assert.deepEqual(sidecar.sessions, [alice]);
  },
);

test('a session id that was closed is handed over, never to be used again', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice', 'bob'], {}, { restart: false });
  await crash(sidecar, { status: 0 });
  await sidecar.start();
  const { usedIds, resume } = await sidecar.request('last-initialize');
  assert.deepEqual(usedIds, [session('alice').sessionId, session('bob').sessionId]);
  assert.equal(resume, undefined);
});

test('without a restart the sessions close with sidecar-exited', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice'], {}, { restart: false });
  const seen = eventsOf(sidecar);
  await crash(sidecar, { status: 0 });
  assert.deepEqual(seen, ['closed alice sidecar-exited', 'agent connected > idle']);
  assert.equal(sidecar.processState, 'failed');
});

test('CRASH_LOOP: the end after the last restart allowed', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice'], {}, { restart: { ...SOON.restart, max: 2 } });
  const seen = eventsOf(sidecar);
  for (let round = 0; round < 2; round += 1) {
    const back = ready(sidecar);
    await crash(sidecar, { status: 3 });
    await back;
  }
  const failed = next(sidecar, 'process-state', ({ state }) => state === 'failed');
  const { willRestart } = await crash(sidecar, { status: 3 });
  assert.equal(willRestart, false);
  const { error } = await failed;
  assert.ok(code('CRASH_LOOP')(error));
  assert.ok(code('EXITED')(error.cause));
  assert.equal(seen[seen.length - 2], 'closed alice sidecar-exited');
  await assert.rejects(sidecar.request('ping'), code('NOT_READY'));
  await sidecar.start();
  assert.equal(await sidecar.request('ping'), 'pong');
});
