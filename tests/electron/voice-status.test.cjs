'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Announcer } = require('../../electron-bridge/lib/sessions/events.cjs');

const CAPABILITIES = { createConnection: true, closeSession: true, reconcile: true };
const FAILURE = { category: 'unreachable', detail: 'No answer.', fix: 'Look.', retryable: true };
const CONNECTED = { state: 'connected', previousState: 'connecting', capabilities: CAPABILITIES };
const BACKOFF = {
  ...{ state: 'backoff', previousState: 'connecting', reason: 'failed', attempt: 2 },
  ...{ retryInMs: 700, error: FAILURE, capabilities: CAPABILITIES },
};
const OF_THE_AGENT = { reason: 'failed', attempt: 2, retryInMs: 700, capabilities: CAPABILITIES };

/** The status after these events, in the room "den". */
function statusAfter(...events) {
  const announcer = new Announcer(assert.fail, () => 'den');
  announcer.tell(events.map(([name, event]) => ({ name, event })));
  return announcer;
}
const agent = (event) => ['agent-state-changed', event];
const process = (event) => ['process-state', event];
const READY = process({ state: 'ready' });

test('a page is told why the agent is out of the room, and when it tries again', () => {
  assert.deepEqual(statusAfter(READY, agent(BACKOFF)).statusForPage(), {
    ...{ state: 'backoff', previousState: 'connecting', processState: 'ready', room: 'den' },
    ...OF_THE_AGENT,
    error: FAILURE,
  });
});

test('a later change of the agent takes the place of the earlier one, its attempt included', () => {
  assert.deepEqual(statusAfter(READY, agent(BACKOFF), agent(CONNECTED)).statusForPage(), {
    ...{ state: 'connected', previousState: 'connecting', processState: 'ready', room: 'den' },
    capabilities: CAPABILITIES,
  });
});

test('a failure is told until the agent is in the room or wants to be in none', () => {
  const again = { ...BACKOFF, state: 'connecting', error: undefined };
  const states = ['connecting', 'reconnecting', 'backoff', 'connected', 'idle'];
  const errors = states.map((state) => {
    const status = statusAfter(READY, agent(BACKOFF), agent({ ...again, state }));
    return [status.statusForPage().error, status.status.error];
  });
  const shown = { code: 'unreachable', message: 'No answer.', fix: 'Look.' };
  const told = [FAILURE, shown];
  const none = [undefined, undefined];
  assert.deepEqual(errors, [told, told, told, none, none]);
});

test('what was told of the agent ends with its process, whose restart is what comes next', () => {
  const error = { code: 'EXITED', message: 'It exited.' };
  const crashed = process({ state: 'backoff', error, retryInMs: 500 });
  const status = statusAfter(READY, agent(BACKOFF), crashed);
  assert.deepEqual(status.statusForPage(), {
    ...{ state: 'idle', processState: 'backoff', retryInMs: 500 },
    processError: error,
  });
  assert.equal(status.status.retryInMs, 500);
  assert.equal(status.status.error.code, 'EXITED');
  assert.equal(status.status.error.fix, 'Look into the log for the cause; start() tries again.');
});

test('a process that is ready, or being stopped, still has its agent', () => {
  for (const state of ['ready', 'stopping']) {
    assert.equal(
      statusAfter(READY, agent(CONNECTED), process({ state })).status.agentState,
      'connected',
    );
  }
  assert.equal(statusAfter(agent(CONNECTED), process({ state: 'idle' })).status.agentState, 'idle');
});

test('voice is available when the process is ready and the agent connected, and only then', () => {
  const available = (...events) => statusAfter(...events).status.available;
  assert.equal(available(READY, agent(CONNECTED)), true);
  assert.equal(available(READY, agent(BACKOFF)), false);
  assert.equal(available(READY), false);
  assert.equal(available(agent(CONNECTED), process({ state: 'stopping' })), false);
});

test('voice is available while the agent waits for a person to come', () => {
  const waits = { state: 'idle', reason: 'nobody-there', capabilities: CAPABILITIES };
  const out = { ...waits, reason: 'disconnect' };
  const available = (...events) => statusAfter(...events).status.available;
  assert.equal(available(READY, agent(waits)), true);
  assert.equal(available(READY, agent(waits), agent(out)), false);
  assert.equal(available(READY, agent(waits), process({ state: 'failed' })), false);
  assert.equal(statusAfter(READY, agent(waits)).statusForPage().reason, 'nobody-there');
});

test('an agent that is idle is in no room', () => {
  const idle = { state: 'idle', previousState: 'connected', capabilities: CAPABILITIES };
  const status = statusAfter(READY, agent(CONNECTED), agent(idle));
  assert.equal('room' in status.statusForPage(), false);
  assert.equal('room' in status.status, false);
});

test('other events change nothing', () => {
  const before = statusAfter(READY, agent(CONNECTED)).status;
  const after = statusAfter(READY, agent(CONNECTED), ['log', { state: 'idle' }]).status;
  assert.deepEqual(after, before);
});
