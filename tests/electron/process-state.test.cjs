'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { TRANSITIONS, nextState } = require('../../electron-bridge/lib/process/restarts.cjs');

const STATES = Object.keys(TRANSITIONS);

/** The states that are reached from one, by any events in any number. */
function reachedFrom(first, allowed = () => true) {
  const reached = new Set([first]);
  for (const state of reached) {
    for (const [event, next] of Object.entries(TRANSITIONS[state])) {
      if (allowed(event)) reached.add(next);
    }
  }
  return reached;
}

test('every state is reached from idle, and idle from every state', () => {
  assert.deepEqual([...reachedFrom('idle')].sort(), [...STATES].sort());
  for (const state of STATES) assert.ok(reachedFrom(state).has('idle'), state);
});

test('an event leads where the table says', () => {
  for (const state of STATES) {
    for (const [event, next] of Object.entries(TRANSITIONS[state])) {
      assert.equal(nextState(state, event), next);
    }
  }
});

test('an event that a state does not list is refused by name, and is a bug', () => {
  assert.throws(() => nextState('idle', 'ready'), {
    message: '"ready" has no meaning in state "idle"',
  });
  assert.throws(() => nextState('stopping', 'start'), {
    message: '"start" has no meaning in state "stopping"',
  });
});

test('a process exists only between a start and its end', () => {
  const withProcess = new Set(['starting', 'ready', 'stopping']);
  for (const state of STATES) {
    for (const [event, next] of Object.entries(TRANSITIONS[state])) {
      const begins = !withProcess.has(state) && withProcess.has(next);
      const isOver = withProcess.has(state) && !withProcess.has(next);
      assert.equal(begins, event === 'start', `${state}, ${event}`);
      assert.equal(isOver, withProcess.has(state) && /^(crashed|ended|failed)$/.test(event));
    }
  }
});

test('a stop is taken in every state that has or awaits a process, and no start undoes it', () => {
  for (const state of ['starting', 'ready', 'backoff', 'failed']) {
    const stopped = nextState(state, 'stop');
    assert.ok(['stopping', 'idle'].includes(stopped), state);
  }
  assert.deepEqual(Object.keys(TRANSITIONS.stopping), ['ended']);
});

test('without a start, nothing that happens leads to a process', () => {
  for (const state of ['idle', 'backoff', 'failed']) {
    const reached = reachedFrom(state, (event) => event !== 'start');
    for (const each of ['starting', 'ready', 'stopping']) assert.ok(!reached.has(each), state);
  }
});
