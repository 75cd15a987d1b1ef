'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Deadlines } = require('../../electron-bridge/lib/time.cjs');
const { Mirror } = require('../../electron-bridge/lib/sessions/mirror.cjs');
const { Outage } = require('../../electron-bridge/lib/sessions/agent.cjs');

/** An outage, and the passing of attended time. */
function measured(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const deadlines = new Deadlines();
  const pass = async (seconds) => {
    for (let passed = 0; passed < seconds; passed += 1) {
      t.mock.timers.tick(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { outage: new Outage(deadlines), deadlines, pass };
}

test('an outage lasts from its first beginning to its end', async (t) => {
  const { outage, pass } = measured(t);
  assert.equal(outage.lastedMs, 0);
  outage.begin();
  await pass(20);
  outage.begin();
  await pass(5);
  assert.equal(outage.lastedMs, 25_000);
  outage.end();
  await pass(5);
  assert.equal(outage.lastedMs, 0);
});

test('an outage is 60 s at most, and begins anew after its end', async (t) => {
  const { outage, deadlines, pass } = measured(t);
  outage.begin();
  await pass(3600);
  assert.deepEqual([outage.lastedMs, deadlines.size], [60_000, 0]);
  outage.end();
  outage.begin();
  await pass(2);
  assert.equal(outage.lastedMs, 2000);
});

test('what the system sleeps through is no outage', async (t) => {
  const { outage, deadlines, pass } = measured(t);
  outage.begin();
  await pass(3);
  deadlines.suspend();
  await pass(3600);
  deadlines.resume();
  await pass(1);
  assert.equal(outage.lastedMs, 4000);
});

test('an outage goes on over the end of a process, until the agent is in its room', async (t) => {
  const { outage, deadlines, pass } = measured(t);
  const mirror = new Mirror('m', () => 1767225700000, outage);
  const agent = (seq, state) => mirror.take('agent-state-changed', { state, seq });
  mirror.begin();
  agent(1, 'connecting');
  agent(2, 'connected');
  await pass(10);
  agent(3, 'reconnecting');
  await pass(20);
  mirror.crashed();
  await pass(2);
  assert.equal(mirror.begin().outageMs, 22_000);
  agent(1, 'connecting');
  await pass(1);
  mirror.crashed();
  assert.equal(mirror.begin().outageMs, 23_000);
  agent(1, 'connected');
  mirror.crashed();
  assert.equal(mirror.begin().outageMs, 0);
  mirror.ended('sidecar-stopped');
  assert.equal(deadlines.size, 0);
});

test('an outage that is over keeps no process from ending', (t) => {
  const { outage, deadlines } = measured(t);
  outage.begin();
  outage.end();
  outage.end();
  assert.equal(deadlines.size, 0);
});
