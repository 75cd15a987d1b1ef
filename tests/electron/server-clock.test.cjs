'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Mirror } = require('../../electron-bridge/lib/sessions/mirror.cjs');
const { session } = require('./fixtures/scripted.cjs');

const STARTED_MS = Date.parse(session('alice').startTime);
const MINUTE_MS = 60_000;

/** A mirror on a machine whose clock the server's is ahead of, and alice's session in it. */
function mirrored({ aheadMs, lastedMs }) {
  const deadlines = { set: () => ({ leftMs: 60_000 }), clear: () => {} };
  const now = () => STARTED_MS + lastedMs - aheadMs;
  const mirror = new Mirror('m', now, deadlines);
  mirror.begin();
  const agent = (seq, state, said) => mirror.take('agent-state-changed', { seq, state, ...said });
  agent(1, 'connected', { serverAheadMs: aheadMs });
  mirror.take('session-created', { seq: 2, session: session('alice') });
  return { mirror, agent };
}

/** For how long the session that *events* close was open, by its own two times. */
function lasted(events) {
  const [{ event }] = events.filter(({ name }) => name === 'session-closed');
  return Date.parse(event.session.endTime) - Date.parse(event.session.startTime);
}

for (const aheadMs of [0, MINUTE_MS, -MINUTE_MS]) {
  const how = `where the server's clock is ${aheadMs / 1000} s ahead`;

  test(`a session that no process closes lasts as long as it lasted, ${how}`, () => {
    const { mirror } = mirrored({ aheadMs, lastedMs: 7000 });
    assert.equal(lasted(mirror.ended('sidecar-exited')), 7000);
  });

  test(`what one process knew counts while the next has not joined, ${how}`, () => {
    const { mirror, agent } = mirrored({ aheadMs, lastedMs: 7000 });
    mirror.crashed();
    assert.equal(mirror.begin().serverAheadMs, aheadMs);
    agent(1, 'connecting', {});
    mirror.crashed();
    assert.equal(mirror.begin().serverAheadMs, aheadMs);
    assert.equal(lasted(mirror.ended('sidecar-exited')), 7000);
  });
}

test('no session ends before it began, whatever the clocks say', () => {
  const { mirror, agent } = mirrored({ aheadMs: MINUTE_MS, lastedMs: 7000 });
  agent(3, 'reconnecting', { serverAheadMs: -MINUTE_MS });
  assert.equal(lasted(mirror.ended('sidecar-exited')), 0);
});

test('a clock that no sidecar told is not handed over', () => {
  const mirror = new Mirror('m', () => STARTED_MS, { set: () => ({ leftMs: 0 }) });
  assert.equal(mirror.begin().serverAheadMs, undefined);
});
