'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Deadlines } = require('../../electron-bridge/lib/time.cjs');

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Deadlines whose time the test makes; what was met is in `met`. */
function deadlines(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const owner = new Deadlines();
  const met = [];
  return {
    owner,
    met,
    set: (ms) => owner.set(ms, () => met.push(ms)),
    pass: async (ms) => {
      t.mock.timers.tick(ms);
      await turn();
    },
  };
}

test('a deadline is met after its time, once, and not before', async (t) => {
  const { owner, met, set, pass } = deadlines(t);
  set(2500);
  for (const ms of [1000, 1000, 499]) await pass(ms);
  assert.deepEqual(met, []);
  await pass(1);
  await pass(10_000);
  assert.deepEqual([met, owner.pending.size], [[2500], 0]);
});

test('the last millisecond counts, also behind a whole step', async (t) => {
  const { met, set, pass } = deadlines(t);
  set(1001);
  await pass(1000);
  assert.deepEqual(met, []);
  await pass(1);
  assert.deepEqual(met, [1001]);
});

test('a cleared deadline is never met, also not one that is due in this turn', async (t) => {
  const { owner, met, set, pass } = deadlines(t);
  const early = set(500);
  const due = set(1000);
  owner.clear(early);
  await pass(900);
  t.mock.timers.tick(100);
  owner.clear(due);
  owner.clear(due);
  owner.clear(undefined);
  await turn();
  assert.deepEqual([met, owner.pending.size], [[], 0]);
});

test('what came in is read before a deadline is met that was due meanwhile', async (t) => {
  const { met, set } = deadlines(t);
  set(10);
  t.mock.timers.tick(10);
  assert.deepEqual(met, []);
  await turn();
  assert.deepEqual(met, [10]);
});

test('between suspend and resume time stands still, for new deadlines too', async (t) => {
  const { owner, met, set, pass } = deadlines(t);
  set(3000);
  await pass(1000);
  owner.suspend();
  set(500);
  await pass(3_600_000);
  assert.deepEqual(met, []);
  owner.resume();
  owner.resume();
  await pass(500);
  assert.deepEqual(met, [500]);
  for (const ms of [500, 1000]) await pass(ms);
  assert.deepEqual(met, [500, 3000]);
  set(10);
  await pass(10);
  assert.deepEqual(met, [500, 3000, 10], 'one that is set after the sleep runs');
});

test('a stop of the app itself counts as one step', async () => {
  // A busy loop is what a breakpoint looks like: no timer runs, and all are due afterwards.
  const owner = new Deadlines();
  const met = [];
  owner.set(1300, () => met.push('late'));
  const until = process.hrtime.bigint() + 1_600_000_000n;
  while (process.hrtime.bigint() < until);
  await turn();
  await turn();
  assert.deepEqual(met, []);
  await new Promise((resolve) => owner.set(301, resolve));
  assert.deepEqual(met, ['late']);
});
