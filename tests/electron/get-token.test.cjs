'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { tokenAnswer } = require('../../electron-bridge/lib/answers.cjs');
const { ScriptedDeadlines } = require('./fixtures/scripted-deadlines.cjs');
const { tokenFor } = require('./fixtures/tokens.cjs');

const REQUEST = Object.freeze({ purpose: 'agent', room: 'r', identity: 'i' });
const TOKEN = tokenFor();
const TOKEN_WITHIN_MS = 20_000;

function asked(getToken) {
  const deadlines = new ScriptedDeadlines();
  return { deadlines, ...tokenAnswer(getToken, deadlines)({ ...REQUEST }) };
}

for (const [how, getToken] of [
  ['at once', () => ({ token: 't' })],
  ['by a promise', async () => ({ token: 't' })],
  ['by any thenable', () => ({ then: (resolve) => resolve({ token: 't' }) })],
  ['with more than that', () => ({ token: 't', url: undefined, expires: 1 })],
]) {
  test(`a token is taken that is given ${how}`, async () => {
    const { answer, deadlines } = asked(getToken);
    assert.equal((await answer).token, 't');
    assert.equal(deadlines.pending.size, 0);
  });
}

test('the app is told what for, and cannot change it', async () => {
  let given;
  await asked((request) => {
    given = request;
    return { token: 't', url: 'wss://elsewhere' };
  }).answer;
  assert.deepEqual(given, REQUEST);
  assert.ok(Object.isFrozen(given));
});

test('only what can be meant goes on to the sidecar, in either form', async () => {
  const standard = { participant_token: 't', server_url: 'wss://elsewhere' };
  const given = (value) =>
    asked(() => value).answer.then((each) => JSON.parse(JSON.stringify(each)));
  assert.deepEqual(await given({ ...standard, participant_name: 'n' }), standard);
  assert.deepEqual(await given({ token: 't', url: 'wss://x', self: globalThis }), {
    token: 't',
    url: 'wss://x',
  });
  for (const nothing of [undefined, null, TOKEN, {}]) assert.deepEqual(await given(nothing), {});
});

const FAILURES = [
  [new Error('503'), 'getToken failed: 503'],
  [new TypeError(), 'getToken failed: TypeError'],
  ['text', 'getToken failed: text'],
  [undefined, 'getToken failed: undefined'],
  [{ toString: () => assert.fail() }, 'getToken failed: an error that cannot be printed'],
];
for (const [error, message] of FAILURES) {
  test(`what the app throws is told: ${message}`, async () => {
    const thrown = asked(() => {
      throw error;
    });
    await assert.rejects(thrown.answer, { name: 'Error', message });
    const rejected = asked(() => Promise.reject(error));
    await assert.rejects(rejected.answer, { name: 'Error', message });
    assert.equal(rejected.deadlines.pending.size, 0);
  });
}

test('a getToken that never comes back is given up after 20 s, and its late token dropped', async () => {
  let give;
  const { answer, deadlines } = asked(() => new Promise((resolve) => (give = resolve)));
  await deadlines.pass(TOKEN_WITHIN_MS - 1);
  assert.equal(deadlines.pending.size, 1);
  await deadlines.pass(1);
  await assert.rejects(answer, /no token within 20000 ms/);
  give({ token: 't' });
  await assert.rejects(answer, /no token within 20000 ms/);
});

test('an abandoned question is over at once and leaves nothing', async () => {
  const { answer, abandon, deadlines } = asked(() => new Promise(() => {}));
  abandon(new Error('no matter'));
  await assert.rejects(answer, { message: 'no matter' });
  assert.equal(deadlines.pending.size, 0);
});
