'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/index.cjs');
const { crash, next, notified, session, statesOf } = require('./fixtures/scripted.cjs');
const { SOON, eventsOf, ready, withSessions } = require('./fixtures/with-sessions.cjs');

const BOUND = Object.freeze({ timeout: 30_000 });
const code = (expected) => (error) => error instanceof SidecarError && error.code === expected;

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
    const waiting = { connectionState: 'reconnecting', name: 'N' };
    assert.deepEqual(resume, [session('alice', waiting), session('bob', waiting)]);
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
  const again = await crash(sidecar, { status: 3 });
  assert.equal(again.willRestart, true, 'a start by hand has all restarts before it');
});

test(
  'closes by a shutdown that nobody asked for are held: the sessions go on',
  BOUND,
  async (t) => {
    const sidecar = await withSessions(t, ['alice', 'bob']);
    const seen = eventsOf(sidecar);
    const ended = session('alice', {
      connectionState: 'closed',
      endTime: '2026-01-01T00:01:00.000Z',
    });
    const back = ready(sidecar);
    const lastNotifications = [
      { method: 'agent-state-changed', params: { state: 'stopping', previousState: 'connected' } },
      { method: 'session-closed', params: { session: ended, reason: 'sidecar-shutdown' } },
    ];
    const { code: status } = await crash(sidecar, { status: 0, lastNotifications });
    assert.equal(status, 0);
    assert.deepEqual(seen, [
      'agent connected > stopping',
      'alice reconnecting (connectionState)',
      'bob reconnecting (connectionState)',
      'agent stopping > idle',
    ]);
    await back;
    const { resume } = await sidecar.request('last-initialize');
    assert.deepEqual(
      resume.map(({ participantId }) => participantId),
      ['alice', 'bob'],
    );
  },
);

test('held closes are told when stop() is called after all', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice', 'bob']);
  const seen = eventsOf(sidecar);
  const ended = session('alice', {
    connectionState: 'closed',
    endTime: '2026-01-01T00:01:00.000Z',
  });
  await notified(sidecar, 'session-closed', { session: ended, reason: 'sidecar-shutdown' });
  assert.deepEqual(seen, []);
  assert.equal(sidecar.sessions.length, 2);
  await sidecar.stop();
  assert.deepEqual(seen, [
    'closed alice sidecar-shutdown',
    'closed bob sidecar-exited',
    'agent connected > idle',
  ]);
});

test('what the old process said last counts, and its ids are not used again', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  const seen = eventsOf(sidecar);
  const gone = session('alice', { connectionState: 'closed', endTime: '2026-01-01T00:01:00.000Z' });
  const back = ready(sidecar);
  await crash(sidecar, {
    signal: 'SIGKILL',
    lastNotifications: [
      { method: 'session-closed', params: { session: gone, reason: 'left' } },
      { method: 'session-created', params: { session: session('bob') } },
    ],
  });
  assert.deepEqual(seen.slice(0, 3), [
    'closed alice left',
    'created bob',
    'bob reconnecting (connectionState)',
  ]);
  await back;
  const { resume, usedIds } = await sidecar.request('last-initialize');
  assert.deepEqual(
    resume.map(({ participantId }) => participantId),
    ['bob'],
  );
  assert.deepEqual(usedIds, [session('alice').sessionId]);
});

test('a second crash before a word of the sessions loses nothing', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  const seen = eventsOf(sidecar);
  for (let round = 0; round < 3; round += 1) {
    const back = ready(sidecar);
    await crash(sidecar, { signal: 'SIGKILL' });
    await back;
    const { resume } = await sidecar.request('last-initialize');
    assert.deepEqual([resume.length, resume[0].sessionId], [1, session('alice').sessionId]);
  }
  const told = seen.filter((line) => !line.startsWith('agent'));
  assert.deepEqual(told, ['alice reconnecting (connectionState)']);
});

test('a gap is healed by one listing, and a difference', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice', 'bob']);
  const seen = eventsOf(sidecar);
  const now = [session('bob', { connectionState: 'connected', name: 'N', messageCount: 2 })];
  now.push(session('carol', { connectionState: 'connected' }));
  await sidecar.request('lose-news', { sessions: now, count: 4 });
  const told = next(sidecar, 'session-created');
  await notified(sidecar, 'of-tomorrow', {});
  await notified(sidecar, 'of-tomorrow', {});
  await told;
  assert.deepEqual(seen, [
    'closed alice left',
    'bob connected (messageCount)',
    'created carol',
    'carol connected (connectionState)',
  ]);
  assert.deepEqual(sidecar.sessions, now);
  assert.equal(await sidecar.request('listings'), 1);
});

test('while a listing is on its way no second one is asked for', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  await sidecar.request('lose-news', { sessions: [], count: 1 });
  const told = next(sidecar, 'session-closed');
  const twice = ['of-tomorrow', 'of-tomorrow'].map((name) => notified(sidecar, name, {}));
  await Promise.all([told, ...twice]);
  assert.equal(await sidecar.request('listings'), 1);
});

test('a gap is healed page by page, and what is lost between two pages, too', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice', 'bob', 'carol']);
  const seen = eventsOf(sidecar);
  const dave = session('dave');
  const [, bob, carol] = sidecar.sessions;
  // With the first page bob leaves and dave comes, and nothing says so.
  const behind = [{ sessions: [carol, dave], count: 2 }];
  await sidecar.request('list-in-pages', { size: 1, behind });
  await sidecar.request('lose-news', { sessions: [bob, carol], count: 1 });
  const told = next(
    sidecar,
    'session-closed',
    ({ session: { participantId: id } }) => id === 'bob',
  );
  await notified(sidecar, 'of-tomorrow', {});
  await told;
  assert.deepEqual(seen.sort(), ['closed alice left', 'closed bob left', 'created dave']);
  assert.deepEqual(sidecar.sessions, [carol, dave]);
  assert.equal(await sidecar.request('listings'), 5);
});

test('a listing that fails on its second page is asked for again', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice', 'bob', 'carol']);
  const [, bob, carol] = sidecar.sessions;
  const error = { code: -32000, message: 'Not now.', data: { fix: '.' } };
  await sidecar.request('list-in-pages', { size: 1, behind: [{}, { error }] });
  await sidecar.request('lose-news', { sessions: [bob, carol], count: 1 });
  await assert.rejects(sidecar.listSessions(), { code: -32000 });
  const told = next(sidecar, 'session-closed');
  await notified(sidecar, 'of-tomorrow', {});
  const { session: closed, reason } = await told;
  assert.deepEqual([closed.participantId, reason], ['alice', 'left']);
});

test('a listing that fails on its first page leaves nothing to be healed', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  const error = { code: -32000, message: 'Not now.', data: { fix: '.' } };
  await sidecar.request('list-in-pages', { size: 1, behind: [{ error }] });
  await assert.rejects(sidecar.listSessions(), { code: -32000 });
  await notified(sidecar, 'of-tomorrow', {});
  assert.equal(await sidecar.request('listings'), 1);
});

test('a listing that is none is not asked for without end', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  await sidecar.request('lose-news', { sessions: 7, count: 1 });
  await notified(sidecar, 'of-tomorrow', {});
  await sidecar.request('echo', {});
  await sidecar.request('echo', {});
  assert.equal(await sidecar.request('listings'), 1);
});

test('listSessions() heals, and answers in the seq and epoch of the events', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice']);
  let last;
  for (const name of ['session-created', 'session-updated', 'session-closed']) {
    sidecar.on(name, (event) => {
      last = event;
    });
  }
  await sidecar.request('lose-news', { sessions: [session('bob')], count: 2 });
  const { sessions, seq, epoch } = await sidecar.listSessions();
  assert.deepEqual(sessions, [session('bob')]);
  assert.deepEqual([seq, epoch], [last.seq, last.epoch]);
  assert.equal((await sidecar.request('listSessions')).epoch, 'e1', 'a request stays raw');
  await notified(sidecar, 'of-tomorrow', {});
  assert.equal(await sidecar.request('listings'), 2, 'nothing is left to be healed');
});

test('a list that comes in pages is asked for to its end', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice'], { pageSize: 2 });
  const crowd = ['bob', 'carol', 'dave', 'erin', 'frank'].map((identity) => session(identity));
  await sidecar.request('lose-news', { sessions: crowd, count: 6 });
  const seen = eventsOf(sidecar);
  const { sessions } = await sidecar.listSessions();
  assert.deepEqual(sessions, crowd);
  assert.deepEqual(sidecar.sessions, crowd);
  assert.equal(seen.filter((line) => line.startsWith('closed')).length, 1, `${seen}`);
  assert.equal(await sidecar.request('listings'), 3);
});

test('a sidecar that does not take the sessions over runs all the same', BOUND, async (t) => {
  const sidecar = await withSessions(t, ['alice'], { refusesResume: true });
  const seen = eventsOf(sidecar);
  const back = ready(sidecar);
  await crash(sidecar, { signal: 'SIGKILL' });
  await back;
  assert.deepEqual(
    seen.filter((line) => !line.startsWith('agent')),
    ['alice reconnecting (connectionState)', 'closed alice sidecar-exited'],
  );
  const { resume, usedIds } = await sidecar.request('last-initialize');
  assert.deepEqual([resume, usedIds], [undefined, [session('alice').sessionId]]);
});

test('10,000 sessions survive a crash, each told twice', { timeout: 60_000 }, async (t) => {
  const sidecar = await withSessions(t, []);
  const created = Array.from({ length: 10_000 }, (_, number) => session(`p${number}`));
  for (let first = 0; first < created.length; first += 2000) {
    await sidecar.request('create', { sessions: created.slice(first, first + 2000) });
  }
  assert.equal(sidecar.sessions.length, created.length);
  const seen = eventsOf(sidecar);
  const back = ready(sidecar);
  await crash(sidecar, { signal: 'SIGKILL' });
  assert.equal(seen.length, created.length + 1);
  await back;
  const { resume } = await sidecar.request('last-initialize');
  assert.equal(resume.length, created.length);
  await sidecar.stop();
  assert.equal(seen.filter((line) => line.startsWith('closed')).length, created.length);
});
