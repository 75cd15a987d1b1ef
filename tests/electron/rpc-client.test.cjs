'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { RpcError, SidecarError } = require('../../electron-bridge/lib/errors.cjs');
const { MAX_LINE_BYTES } = require('../../electron-bridge/lib/protocol.cjs');
const { MAX_WAITING_BYTES, rpcClient } = require('../../electron-bridge/lib/rpc/client.cjs');
const { Deadlines } = require('../../electron-bridge/lib/time.cjs');
const { ScriptedDeadlines } = require('./fixtures/scripted-deadlines.cjs');

/** The other end: keeps what is written until told that the system took it. */
class Wire {
  constructor({ released = true, answers = {}, deadlines = new Deadlines() } = {}) {
    this.frames = [];
    this.odd = [];
    this.notifications = [];
    this.taken = [];
    this.client = rpcClient({
      write: (frame, done) => {
        this.frames.push(JSON.parse(frame.toString()));
        this.taken.push(done);
      },
      onNotification: (method, params) => this.notifications.push([method, params]),
      onOddLine: (problem) => this.odd.push(problem),
      deadlines,
      answers,
    });
    if (released) this.client.release();
  }

  say(message) {
    this.client.handleLine(JSON.stringify({ jsonrpc: '2.0', ...message }));
  }
}

const PATIENT = Object.freeze({ timeoutMs: 60_000 });
const code = (expected) => (error) => {
  assert.ok(error instanceof SidecarError);
  assert.equal(error.code, expected);
  return true;
};

test('a request is one JSON-RPC object with an id of its own, and gets the result of that id', async () => {
  const wire = new Wire();
  const first = wire.client.request('a', { x: 1 }, PATIENT);
  const second = wire.client.request('b', undefined, PATIENT);
  wire.say({ id: 2, result: 'B' });
  wire.say({ id: 1, result: null });
  assert.deepEqual(wire.frames, [
    { jsonrpc: '2.0', id: 1, method: 'a', params: { x: 1 } },
    { jsonrpc: '2.0', id: 2, method: 'b' },
  ]);
  assert.equal(await second, 'B');
  assert.equal(await first, null);
});

test('an error answer keeps its code, message and data, and the stack of whoever asked', async () => {
  const wire = new Wire();
  async function whoeverAsked() {
    await wire.client.request('a', {}, PATIENT);
  }
  const asking = whoeverAsked();
  wire.say({ id: 1, error: { code: 1003, message: 'No such session.', data: { fix: 'Look.' } } });
  await assert.rejects(asking, (error) => {
    assert.ok(error instanceof RpcError);
    assert.deepEqual(
      [error.name, error.code, error.message, error.data],
      ['RpcError', 1003, 'No such session.', { fix: 'Look.' }],
    );
    assert.match(error.stack, /^RpcError: No such session\.\n.*whoeverAsked/);
    return true;
  });
});

test('held requests are written at release, in order, and those sent ahead before them', async () => {
  const wire = new Wire({ released: false });
  wire.client.request('later', {}, PATIENT).catch(() => {});
  wire.client.request('last', {}, PATIENT).catch(() => {});
  wire.client.request('first', {}, { ...PATIENT, ahead: true }).catch(() => {});
  assert.deepEqual(
    wire.frames.map(({ method }) => method),
    ['first'],
  );
  wire.client.release();
  assert.deepEqual(
    wire.frames.map(({ method }) => method),
    ['first', 'later', 'last'],
  );
  wire.client.rejectAll(() => new Error('end of the test'));
});

test('a deadline that passes rejects with TIMEOUT, and the late answer is dropped in silence', async () => {
  const wire = new Wire();
  await assert.rejects(wire.client.request('slow', {}, { timeoutMs: 1 }), code('TIMEOUT'));
  wire.say({ id: 1, result: 'late' });
  assert.deepEqual(wire.odd, []);
});

test('an abort rejects with ABORTED and the reason, and the late answer is dropped in silence', async () => {
  const wire = new Wire();
  const abort = new AbortController();
  const asking = wire.client.request('slow', {}, { ...PATIENT, signal: abort.signal });
  const reason = new Error('navigated away');
  abort.abort(reason);
  await assert.rejects(asking, (error) => code('ABORTED')(error) && error.cause === reason);
  wire.say({ id: 1, result: 'late' });
  assert.deepEqual(wire.odd, []);
});

test('a request aborted while it is held, or before it is made, is never written', async () => {
  const wire = new Wire({ released: false });
  const abort = new AbortController();
  const held = wire.client.request('held', {}, { ...PATIENT, signal: abort.signal });
  abort.abort();
  const late = wire.client.request('late', {}, { ...PATIENT, signal: abort.signal });
  await assert.rejects(held, code('ABORTED'));
  await assert.rejects(late, code('ABORTED'));
  wire.client.release();
  assert.deepEqual(wire.frames, []);
});

test('an abort after the answer changes nothing and finds no listener', async () => {
  const wire = new Wire();
  const listeners = new Set();
  const signal = {
    aborted: false,
    addEventListener: (type, listener) => listeners.add(listener),
    removeEventListener: (type, listener) => listeners.delete(listener),
  };
  const asking = wire.client.request('quick', {}, { ...PATIENT, signal });
  assert.equal(listeners.size, 1);
  wire.say({ id: 1, result: 'in time' });
  assert.equal(await asking, 'in time');
  assert.equal(listeners.size, 0);
});

test('rejectAll fails held and written requests, each with an error of its own', async () => {
  const wire = new Wire({ released: false });
  const requests = [
    wire.client.request('written', {}, { ...PATIENT, ahead: true }),
    wire.client.request('held', {}, PATIENT),
  ];
  wire.client.rejectAll(() => new SidecarError('EXITED', 'gone'));
  const outcomes = await Promise.allSettled(requests);
  assert.deepEqual(
    outcomes.map(({ reason }) => reason.code),
    ['EXITED', 'EXITED'],
  );
  assert.notEqual(outcomes[0].reason, outcomes[1].reason);
});

test('over 8 MiB that wait to be read reject with BUSY, until the system has taken them', async () => {
  const wire = new Wire();
  const half = { text: 'x'.repeat(MAX_WAITING_BYTES / 2) };
  wire.client.request('a', half, PATIENT).catch(() => {});
  await assert.rejects(wire.client.request('b', half, PATIENT), code('BUSY'));
  assert.equal(wire.frames.length, 1);
  wire.taken[0]();
  wire.client.request('c', half, PATIENT).catch(() => {});
  assert.equal(wire.frames.length, 2);
  wire.client.rejectAll(() => new Error('end of the test'));
});

test('8 MiB may wait, to the byte', async () => {
  const wire = new Wire();
  const bare = Buffer.byteLength('{"jsonrpc":"2.0","id":1,"method":"a","params":{"text":""}}\n');
  const half = 'x'.repeat(MAX_WAITING_BYTES / 2 - bare);
  wire.client.request('a', { text: half }, PATIENT).catch(() => {});
  await assert.rejects(wire.client.request('a', { text: `${half}x` }, PATIENT), code('BUSY'));
  wire.client.request('a', { text: half }, PATIENT).catch(() => {});
  assert.equal(wire.frames.length, 2);
  wire.client.rejectAll(() => new Error('end of the test'));
});

test('held requests count as waiting, and no longer once they are taken back', async () => {
  const wire = new Wire({ released: false });
  const half = { text: 'x'.repeat(MAX_WAITING_BYTES / 2) };
  const abort = new AbortController();
  const held = wire.client.request('a', half, { ...PATIENT, signal: abort.signal });
  await assert.rejects(wire.client.request('b', half, PATIENT), code('BUSY'));
  abort.abort();
  await assert.rejects(held, code('ABORTED'));
  wire.client.request('c', half, PATIENT).catch(() => {});
  wire.client.release();
  assert.equal(wire.frames.length, 1);
  wire.client.rejectAll(() => new Error('end of the test'));
});

test("a single request over 8 MiB passes when nothing waits; one over a line's limit never", async () => {
  const wire = new Wire();
  wire.client.request('large', { text: 'x'.repeat(MAX_WAITING_BYTES) }, PATIENT).catch(() => {});
  assert.equal(wire.frames.length, 1);
  const tooLarge = wire.client.request('larger', { text: 'x'.repeat(MAX_LINE_BYTES) }, PATIENT);
  await assert.rejects(tooLarge, (error) => error instanceof RpcError && error.code === -32600);
  wire.client.rejectAll(() => new Error('end of the test'));
});

test('params that are no JSON reject with a TypeError and take no id', async () => {
  const wire = new Wire();
  const circular = {};
  circular.self = circular;
  await assert.rejects(wire.client.request('a', circular, PATIENT), TypeError);
  wire.client.request('b', {}, PATIENT).catch(() => {});
  assert.equal(wire.frames[0].id, 1);
  wire.client.rejectAll(() => new Error('end of the test'));
});

test('notifications are passed on as they are', () => {
  const wire = new Wire();
  wire.say({ method: 'session-created', params: { seq: 1 } });
  assert.deepEqual(wire.notifications, [['session-created', { seq: 1 }]]);
});

const ODD_LINES = {
  'a stray print': 'Loading model...',
  'NaN, which JSON does not have': '{"jsonrpc":"2.0","id":1,"result":NaN}',
  'another version': '{"id":1,"result":1}',
  'an array': '[]',
  null: 'null',
  'neither response nor notification': '{"jsonrpc":"2.0","id":1}',
  'an answer without an id': '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}',
  'an answer to what was not asked': '{"jsonrpc":"2.0","id":7,"result":1}',
  'an answer to id 0': '{"jsonrpc":"2.0","id":0,"result":1}',
  'an answer to an id that JavaScript would make a number': '{"jsonrpc":"2.0","id":[1],"result":1}',
  'an answer to an object': '{"jsonrpc":"2.0","id":{"toString":1,"valueOf":1},"result":1}',
};
for (const [what, line] of Object.entries(ODD_LINES)) {
  test(`a line that is ${what} is reported, and the next line is understood`, async () => {
    const wire = new Wire();
    const asking = wire.client.request('a', {}, PATIENT);
    wire.client.handleLine(line);
    assert.equal(wire.odd.length, 1);
    wire.say({ id: 1, result: 'fine' });
    assert.equal(await asking, 'fine');
  });
}

test('an error whose message is no text, which no String() takes, rejects its request', async () => {
  const wire = new Wire();
  const asking = wire.client.request('a', {}, PATIENT);
  wire.say({ id: 1, error: { code: 5, message: { toString: 1, valueOf: 1 } } });
  await assert.rejects(asking, { name: 'RpcError', code: 5, message: 'undefined' });
});

test('of a long odd line only the first 200 characters are reported', () => {
  const wire = new Wire();
  wire.client.handleLine('x'.repeat(200));
  assert.ok(wire.odd[0].endsWith(`: ${'x'.repeat(200)}`));
  wire.client.handleLine('x'.repeat(100_000));
  assert.ok(wire.odd[1].endsWith(`: ${'x'.repeat(200)}…`));
});

/** An answer of the app that the test gives. */
function scriptedAnswer() {
  const answer = {};
  answer.promise = new Promise((resolve, reject) => Object.assign(answer, { resolve, reject }));
  return answer;
}

const METHOD_NOT_FOUND = -32601;

test('an error of the app whose message is no text is an answer all the same', async () => {
  const getToken = () => Promise.reject({ message: { toString: 1, valueOf: 1 } });
  const wire = new Wire({ answers: { getToken } });
  wire.say({ id: 'sidecar-1', method: 'getToken' });
  await new Promise(setImmediate);
  assert.equal(wire.frames[0].error.message, 'undefined');
});

test('a request of the sidecar is answered by the function of its name', async () => {
  const params = [];
  const given = [];
  const ask = (asked) => {
    params.push(asked);
    given.push(scriptedAnswer());
    return given[given.length - 1].promise;
  };
  const wire = new Wire({ answers: { getToken: ask } });
  wire.say({ id: 'sidecar-1', method: 'getToken', params: { room: 'r' } });
  wire.say({ id: 'sidecar-2', method: 'getToken' });
  wire.say({ id: 'sidecar-3', method: 'getToken' });
  given[1].resolve({ token: 't' });
  given[0].reject(new Error('down'));
  given[2].resolve(undefined);
  await new Promise(setImmediate);
  const byId = Object.fromEntries(
    wire.frames.map(({ id, result, error }) => [id, [result, error]]),
  );
  assert.deepEqual(params, [{ room: 'r' }, undefined, undefined]);
  assert.deepEqual(byId, {
    'sidecar-1': [undefined, { code: -32000, message: 'down' }],
    'sidecar-2': [{ token: 't' }, undefined],
    'sidecar-3': [null, undefined],
  });
  assert.deepEqual([wire.odd, wire.notifications], [[], []]);
});

test('a request of another name is refused, one of an object of all objects too', () => {
  const wire = new Wire();
  for (const method of ['delete', 'toString', '__proto__']) wire.say({ id: method, method });
  assert.deepEqual(
    wire.frames.map(({ id, error }) => [id, error.code]),
    [
      ['delete', METHOD_NOT_FOUND],
      ['toString', METHOD_NOT_FOUND],
      ['__proto__', METHOD_NOT_FOUND],
    ],
  );
});

test('an answer that is no JSON, or longer than a line may be, is an error', async () => {
  const answers = {};
  for (const [name, value] of [
    ['loop', globalThis],
    ['long', 'x'.repeat(MAX_LINE_BYTES)],
  ]) {
    answers[name] = async () => value;
  }
  const wire = new Wire({ answers });
  wire.say({ id: 1, method: 'loop' });
  wire.say({ id: 2, method: 'long' });
  await new Promise(setImmediate);
  for (const { error } of wire.frames) assert.match(error.message, /The answer cannot be sent/);
  assert.equal(wire.frames.length, 2);
});

test('an app that gives no answer is an error after 20 s, and its late answer goes nowhere', async () => {
  const answer = scriptedAnswer();
  const deadlines = new ScriptedDeadlines();
  const wire = new Wire({ answers: { getToken: () => answer.promise }, deadlines });
  wire.say({ id: 1, method: 'getToken' });
  await deadlines.pass(19_999);
  assert.deepEqual(wire.frames, []);
  await deadlines.pass(1);
  answer.resolve({ token: 't' });
  await new Promise(setImmediate);
  const message = 'getToken failed: the app gave no answer within 20000 ms';
  assert.deepEqual(
    wire.frames.map(({ error }) => error.message),
    [message],
  );
});

test('an answer in time, or the end of the run, leaves no deadline behind', async () => {
  const answers = { getToken: async () => ({ token: 't' }), never: () => new Promise(() => {}) };
  const deadlines = new ScriptedDeadlines();
  const wire = new Wire({ answers, deadlines });
  wire.say({ id: 1, method: 'getToken' });
  wire.say({ id: 2, method: 'never' });
  await new Promise(setImmediate);
  assert.equal(deadlines.pending.size, 1);
  wire.client.rejectAll(() => new SidecarError('EXITED', 'It ended.'));
  assert.equal(deadlines.pending.size, 0);
});

test('at the end of a run what it asked is given up, and an answer goes nowhere', async () => {
  const answer = scriptedAnswer();
  const wire = new Wire({ answers: { getToken: () => answer.promise } });
  wire.say({ id: 1, method: 'getToken' });
  wire.client.rejectAll(() => new SidecarError('EXITED', 'It ended.'));
  answer.resolve({ token: 't' });
  await new Promise(setImmediate);
  assert.deepEqual(wire.frames, []);
});
