'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Deadlines } = require('../../electron-bridge/lib/time.cjs');
const { Mirror } = require('../../electron-bridge/lib/sessions/mirror.cjs');

/** A mirror with an agent whose states the test decides, and the passing of attended time. */
function measured(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const deadlines = new Deadlines();
  const pass = async (seconds) => {
    for (let passed = 0; passed < seconds; passed += 1) {
      t.mock.timers.tick(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const mirror = new Mirror('m', () => 1767225700000, deadlines);
  const agent = (state) => mirror.take('agent-state-changed', { state });
  const lastedMs = () => mirror.begin().outageMs;
  return { mirror, agent, lastedMs, deadlines, pass };
}

test('an outage lasts from its first beginning to its end', async (t) => {
  const { agent, lastedMs, pass } = measured(t);
  assert.equal(lastedMs(), 0);
  agent('connecting');
  await pass(20);
  agent('backoff');
  await pass(5);
  assert.equal(lastedMs(), 25_000);
  agent('connected');
  await pass(5);
  assert.equal(lastedMs(), 0);
});

test('an outage is 60 s at most, and begins anew after its end', async (t) => {
  const { agent, lastedMs, deadlines, pass } = measured(t);
  agent('connecting');
  await pass(3600);
  assert.deepEqual([lastedMs(), deadlines.pending.size], [60_000, 0]);
  agent('connected');
  agent('reconnecting');
  await pass(2);
  assert.equal(lastedMs(), 2000);
});

test('what the system sleeps through is no outage', async (t) => {
  const { agent, lastedMs, deadlines, pass } = measured(t);
  agent('connecting');
  await pass(3);
  deadlines.suspend();
  await pass(3600);
  deadlines.resume();
  await pass(1);
  assert.equal(lastedMs(), 4000);
});

test('an outage goes on over the end of a process, until the agent is in its room', async (t) => {
  const { mirror, agent, lastedMs, deadlines, pass } = measured(t);
  mirror.begin();
  agent('connecting');
  agent('connected');
  await pass(10);
  agent('reconnecting');
  await pass(20);
  mirror.crashed();
  await pass(2);
  assert.equal(lastedMs(), 22_000);
  agent('connecting');
  await pass(1);
  mirror.crashed();
  assert.equal(lastedMs(), 23_000);
  agent('connected');
  mirror.crashed();
  assert.equal(lastedMs(), 0);
  mirror.ended('sidecar-stopped');
  assert.equal(deadlines.pending.size, 0);
});

test('an outage that is over keeps no process from ending', (t) => {
  const { mirror, agent, deadlines } = measured(t);
  agent('connecting');
  agent('connected');
  agent('connected');
  assert.equal(deadlines.pending.size, 0);
  mirror.crashed();
  mirror.ended('sidecar-exited');
  assert.equal(deadlines.pending.size, 0);
});
