'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { setImmediate: turn } = require('node:timers/promises');

const { Announcer } = require('../../electron-bridge/lib/sessions/events.cjs');
const { session } = require('./fixtures/scripted.cjs');

const created = (identity, seq) => ({
  name: 'session-created',
  event: { session: session(identity), seq },
});
const closed = (identity, seq) => ({
  name: 'session-closed',
  event: { session: session(identity), seq },
});

test('what a listener brings about is told behind what was to be told already', () => {
  const announcer = new Announcer(assert.fail);
  const heard = { first: [], second: [] };
  announcer.change('on', 'session-created', ({ seq }) => {
    heard.first.push(seq);
    if (seq === 1) announcer.tell([created('late', 3)]);
  });
  announcer.change('on', 'session-created', ({ seq }) => heard.second.push(seq));
  announcer.tell([created('alice', 1), created('bob', 2)]);
  assert.deepEqual(heard, { first: [1, 2, 3], second: [1, 2, 3] });
});

test('at every event the sessions, the seq and the agent are what was told up to it', () => {
  const announcer = new Announcer(assert.fail);
  const seen = [];
  const look = () => {
    const identities = announcer.sessions.map(({ participantId }) => participantId);
    seen.push([announcer.seq, announcer.status.agentState, ...identities]);
  };
  for (const name of ['session-created', 'session-closed', 'agent-state-changed']) {
    announcer.change('on', name, look);
  }
  announcer.tell([
    created('alice', 1),
    { name: 'agent-state-changed', event: { state: 'connected', seq: 2 } },
    created('bob', 3),
    closed('alice', 4),
  ]);
  assert.deepEqual(seen, [
    [1, 'idle', 'alice'],
    [2, 'connected', 'alice'],
    [3, 'connected', 'alice', 'bob'],
    [4, 'connected', 'bob'],
  ]);
});

test('an event without a seq leaves the seq as it is', () => {
  const announcer = new Announcer(assert.fail);
  announcer.tell([created('alice', 1)]);
  announcer.tell([{ name: 'process-state', event: { state: 'ready', previousState: 'starting' } }]);
  assert.equal(announcer.seq, 1);
});

test('a listener for each of many pages brings no warning of a leak', async (t) => {
  const warnings = [];
  const note = (warning) => warnings.push(warning.message);
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  const announcer = new Announcer(assert.fail);
  for (let page = 0; page < 100; page += 1) announcer.change('on', 'log', () => {});
  await turn();
  assert.deepEqual(warnings, []);
});

test('an array of sessions is the caller’s own', () => {
  const announcer = new Announcer(assert.fail);
  announcer.tell([created('alice', 1)]);
  announcer.sessions.pop();
  assert.equal(announcer.sessions.length, 1);
});

test('a listener that throws is reported, and the rest is told', () => {
  const problems = [];
  const announcer = new Announcer((problem) => problems.push(problem));
  const heard = [];
  announcer.change('on', 'session-created', () => {
    throw new Error('a bug');
  });
  announcer.change('on', 'session-created', ({ seq }) => heard.push(seq));
  announcer.tell([created('alice', 1), created('bob', 2)]);
  assert.deepEqual(heard, [1, 2]);
  assert.match(problems[0], /^A listener of "session-created" threw: Error: a bug\n/);
});

test('a listener whose promise rejects is reported as one that throws', async () => {
  const problems = [];
  const announcer = new Announcer((problem) => problems.push(problem));
  announcer.change('on', 'session-created', async () => {
    throw new Error('a bug');
  });
  announcer.tell([created('alice', 1)]);
  await new Promise(setImmediate);
  assert.match(problems[0], /^A listener of "session-created" threw: Error: a bug\n/);
});

test('a listener that was added once is called once, and can be taken back', () => {
  const announcer = new Announcer(assert.fail);
  const heard = [];
  announcer.change('once', 'session-created', ({ seq }) => heard.push(seq));
  const never = () => heard.push('never');
  announcer.change('once', 'session-created', never);
  announcer.change('off', 'session-created', never);
  announcer.tell([created('alice', 1), created('bob', 2)]);
  assert.deepEqual(heard, [1]);
});

test('there is no event of another name', () => {
  const announcer = new Announcer(assert.fail);
  assert.throws(
    () => announcer.change('on', 'error', () => {}),
    /There is no event "error"\. The events are/,
  );
});
