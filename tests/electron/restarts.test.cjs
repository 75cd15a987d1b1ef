'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/index.cjs');
const {
  DEFAULT_POLICY,
  crashLoop,
  restartDelay,
} = require('../../electron-bridge/lib/process/restarts.cjs');

const MINUTE_MS = 60_000;

/** The delays after ends at these times, each of them decided with the ones before it in mind. */
function delays(policy, ends) {
  const restarted = [];
  return ends.map((nowMs) => {
    const delayMs = restartDelay(policy, restarted, nowMs);
    if (delayMs !== undefined) restarted.push(nowMs);
    return delayMs;
  });
}

test('three restarts in five minutes, after 0.5, 1 and 2 s; then no more', () => {
  const ends = [0, 1, 2, 3].map((minutes) => minutes * MINUTE_MS);
  assert.deepEqual(delays(DEFAULT_POLICY, ends), [500, 1000, 2000, undefined]);
});

test('an end that is five minutes old does not count any more', () => {
  const ends = [0, 2 * MINUTE_MS, 4 * MINUTE_MS, 5 * MINUTE_MS - 1, 5 * MINUTE_MS, 60 * MINUTE_MS];
  assert.deepEqual(delays(DEFAULT_POLICY, ends), [500, 1000, 2000, undefined, 2000, 500]);
});

test('the last delay counts for all further restarts', () => {
  const policy = { max: 4, windowMs: 1000, delaysMs: [1, 2] };
  assert.deepEqual(delays(policy, [0, 0, 0, 0]), [1, 2, 2, 2]);
});

test('a maximum of 0: never', () => {
  assert.equal(restartDelay({ ...DEFAULT_POLICY, max: 0 }, [], 0), undefined);
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
