'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { ScriptedContents } = require('./fixtures/scripted-electron.cjs');
const { FOREIGN, heard, served, settled } = require('./fixtures/served.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });

test('a page gets a snapshot first, then every change once and in order', async () => {
  const { voice, clara } = served();
  voice.create('alice');
  const events = heard(clara);
  voice.create('bob');
  await settled();
  voice.update('alice', { messageCount: 1 });
  voice.close('bob', 'left');
  await settled();
  assert.deepEqual(events, [
    ['snapshot', undefined, 1, 1],
    ['created', 'bob', 2, 2],
    ['updated', 'alice', 3, 2],
    ['closed', 'bob', 4, 1],
  ]);
});

test('each event has the list as it was then, also once later events have come', async () => {
  const { voice, clara } = served();
  const lists = [];
  clara.onSessions(({ sessions }) => lists.push(sessions));
  await settled();
  voice.create('alice');
  voice.create('bob');
  voice.update('alice', { messageCount: 1 });
  voice.close('bob', 'left');
  voice.create('bob');
  await settled();
  const shown = (list) => list.map((each) => `${each.participantId} ${each.messageCount}`);
  assert.deepEqual(lists.map(shown), [
    [],
    ['alice 0'],
    ['alice 0', 'bob 0'],
    ['alice 1', 'bob 0'],
    ['alice 1'],
    ['alice 1', 'bob 0'],
  ]);
});

test('contextBridge copies each session of a burst once, and not the list with each change', async () => {
  const { voice, contents, clara } = served();
  voice.create('first');
  const events = heard(clara);
  await settled();
  for (let number = 0; number < 300; number += 1) voice.create(`person ${number}`);
  await settled();
  assert.deepEqual(events.slice(-1), [['created', 'person 299', 301, 301]]);
  const copied = contents.handedOver.flatMap(({ session, sessions = [session] }) => sessions);
  assert.equal(copied.length, 301);
});

test('a page that changes an event changes nothing for another callback', async () => {
  const { voice, clara } = served();
  clara.onSessions(({ sessions }) => {
    for (const each of sessions.splice(0)) each.participantId = 'changed';
  });
  const events = heard(clara);
  voice.create('alice');
  await settled();
  voice.update('alice', { messageCount: 1 });
  await settled();
  assert.deepEqual(events.slice(-1), [['updated', 'alice', 2, 1]]);
});

test('what reaches the page before its snapshot is neither lost nor told twice', async () => {
  const { contents, clara, voice } = served();
  voice.create('alice');
  // On its way while the page subscribes: the snapshot includes it.
  contents.send('clara-voice:event', 'sessions', 'change', {
    type: 'created',
    session: { sessionId: 'session_1_alice', participantId: 'alice' },
    seq: 1,
  });
  const events = heard(clara);
  voice.create('bob');
  await settled();
  assert.deepEqual(events, [
    ['snapshot', undefined, 1, 1],
    ['created', 'bob', 2, 2],
  ]);
});

test('a callback that was taken back before its snapshot is never called', async () => {
  const { voice, clara } = served();
  const stops = [];
  const events = heard(clara, stops);
  stops[0]();
  voice.create('alice');
  await settled();
  assert.deepEqual(events, []);
});

test('a second callback has a snapshot of its own, and the first one none again', async () => {
  const { voice, clara } = served();
  const first = heard(clara);
  await settled();
  voice.create('alice');
  await settled();
  const second = heard(clara);
  assert.deepEqual(second, [], 'not before onSessions() has returned');
  voice.create('bob');
  await settled();
  assert.deepEqual(second, [
    ['snapshot', undefined, 1, 1],
    ['created', 'bob', 2, 2],
  ]);
  assert.deepEqual(
    first.map(([type]) => type),
    ['snapshot', 'created', 'created'],
  );
});

test('a callback that throws is told to the console and disturbs no other', async () => {
  const { voice, clara, complaints } = served();
  clara.onSessions(() => {
    throw new Error('of the page');
  });
  const events = heard(clara);
  await settled();
  voice.create('alice');
  await settled();
  assert.equal(events.length, 2);
  assert.match(complaints[0], /a callback of the page threw.*of the page/);
});

test('a callback that was taken back is not called again, and main sends no more', async () => {
  const { voice, clara, contents } = served();
  const stops = [];
  const events = heard(clara, stops);
  await settled();
  stops[0]();
  stops[0]();
  contents.sent = [];
  voice.create('alice');
  await settled();
  voice.create('bob');
  await settled();
  assert.equal(events.length, 1);
  assert.deepEqual(contents.sent, []);
  const again = heard(clara);
  await settled();
  assert.deepEqual(again, [['snapshot', undefined, 2, 2]]);
});

test('a callback that was taken back leaves the others their events', async () => {
  const { voice, clara } = served();
  const stops = [];
  heard(clara, stops);
  const other = heard(clara);
  await settled();
  stops[0]();
  await settled();
  voice.create('alice');
  await settled();
  assert.deepEqual(other.slice(1), [['created', 'alice', 1, 1]]);
});

test('a callback hears its own topic alone', async () => {
  const { voice, clara } = served();
  const events = heard(clara);
  const states = [];
  clara.onAgentState(({ state }) => states.push(state));
  await settled();
  voice.create('alice');
  voice.agent('connected');
  await settled();
  assert.deepEqual([events.length, states], [2, ['idle', 'connected']]);
});

test('a page that is early hears of the sidecar once there is one', BOUND, async () => {
  const { clara, complaints, end, serve, voice } = served();
  end();
  const taken = [];
  const stop = clara.onAgentState(() => taken.push('early'));
  const first = new Promise((resolve) => clara.onSessions(resolve));
  await settled();
  stop();
  voice.create('alice');
  serve();
  assert.equal((await first).sessions.length, 1);
  assert.deepEqual([taken, complaints], [[], []]);
});

test('a page that may not subscribe is told so in its console', async () => {
  const { clara, complaints } = served({ url: FOREIGN });
  heard(clara);
  await settled();
  assert.match(complaints[0], /window\.clara: .* alone\. \(DENIED\)/);
});

test('a callback may take itself back while it is called', async () => {
  const { voice, clara } = served();
  let calls = 0;
  const stop = clara.onSessions(() => {
    calls += 1;
    stop();
  });
  await settled();
  voice.create('alice');
  await settled();
  assert.equal(calls, 1);
});

test('what is no function is refused at once', () => {
  const { clara } = served();
  assert.throws(() => clara.onSessions('x'), /onSessions: the callback must be a function/);
  assert.throws(() => clara.onAgentState(), /onAgentState: the callback must be a function/);
});

for (const [what, happen] of [
  ['shows another page', (contents) => contents.navigate(FOREIGN)],
  ['is reloaded', (contents) => contents.navigate()],
  ['has lost its process', (contents) => contents.emit('render-process-gone')],
  ['has lost its process, as Electron 9 says it', (contents) => contents.emit('crashed')],
  ['is closed', (contents) => contents.destroy()],
]) {
  test(`a window that ${what} gets nothing more, and holds no listener of ours`, async () => {
    const { voice, contents, clara } = served();
    heard(clara);
    clara.onAgentState(() => {});
    await settled();
    const names = ['did-navigate', 'render-process-gone', 'crashed', 'destroyed'];
    const listeners = () => names.map((name) => contents.listenerCount(name));
    assert.deepEqual(listeners(), [2, 2, 2, 2]); // of each topic
    contents.sent = [];
    happen(contents);
    voice.create('alice');
    voice.agent('connected');
    await settled();
    assert.deepEqual(contents.sent, []);
    assert.deepEqual(listeners(), [0, 0, 0, 0]);
  });
}

test('a reloaded page goes on where the sessions are', async () => {
  const { voice, contents, clara } = served();
  heard(clara);
  voice.create('alice');
  await settled();
  contents.navigate();
  const events = heard(contents.preload().clara);
  voice.create('bob');
  await settled();
  assert.deepEqual(events, [
    ['snapshot', undefined, 1, 1],
    ['created', 'bob', 2, 2],
  ]);
});

test('two windows hear the same', async () => {
  const { voice, ipcMain, clara } = served();
  const other = new ScriptedContents(ipcMain);
  const both = [heard(clara), heard(other.preload().clara)];
  await settled();
  voice.create('alice');
  await settled();
  assert.equal(both[0].length, 2);
  assert.deepEqual(both[0], both[1]);
});
