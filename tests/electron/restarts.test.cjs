'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/index.cjs');
const {
  DEFAULT_POLICY,
  Restarts,
  crashLoop,
} = require('../../electron-bridge/lib/process/restarts.cjs');

const MINUTE_MS = 60_000;

test('three restarts in five minutes, after 0.5, 1 and 2 s; then no more', () => {
  const restarts = new Restarts(DEFAULT_POLICY);
  const decided = [0, 1, 2, 3].map((minutes) => restarts.decide(minutes * MINUTE_MS));
  assert.deepEqual(decided, [
    { delayMs: 500 },
    { delayMs: 1000 },
    { delayMs: 2000 },
    { reason: 'loop' },
  ]);
});

test('an end that is five minutes old does not count any more', () => {
  const restarts = new Restarts(DEFAULT_POLICY);
  for (const minutes of [0, 2, 4]) restarts.decide(minutes * MINUTE_MS);
  assert.deepEqual(restarts.decide(5 * MINUTE_MS - 1), { reason: 'loop' });
  assert.deepEqual(restarts.decide(5 * MINUTE_MS), { delayMs: 2000 });
  assert.deepEqual(restarts.decide(60 * MINUTE_MS), { delayMs: 500 });
});

test('the last delay counts for all further restarts', () => {
  const restarts = new Restarts({ max: 4, windowMs: 1000, delaysMs: [1, 2] });
  const delays = [0, 0, 0, 0].map((now) => restarts.decide(now).delayMs);
  assert.deepEqual(delays, [1, 2, 2, 2]);
});

test('false, or a maximum of 0: never', () => {
  assert.deepEqual(new Restarts(false).decide(0), { reason: 'off' });
  assert.deepEqual(new Restarts({ ...DEFAULT_POLICY, max: 0 }).decide(0), { reason: 'loop' });
});

test('who starts it by hand has all restarts before them', () => {
  const restarts = new Restarts({ max: 1, windowMs: 1000, delaysMs: [1] });
  restarts.decide(0);
  restarts.forget();
  assert.deepEqual(restarts.decide(1), { delayMs: 1 });
});

test('CRASH_LOOP tells the last end: its words, status, signal and stderr', () => {
  const last = new SidecarError('EXITED', 'The sidecar ended with status 3.', {
    exitCode: 3,
    signal: null,
    stderrTail: ['oh'],
  });
  const error = crashLoop(last);
  assert.deepEqual(
    [error.code, error.exitCode, error.signal, error.stderrTail, error.cause],
    ['CRASH_LOOP', 3, null, ['oh'], last],
  );
  assert.ok(error.message.includes(last.message));
});
