'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { tokenAnswer } = require('../../electron-bridge/lib/answers.cjs');
const { tokenFor } = require('./fixtures/tokens.cjs');

const REQUEST = Object.freeze({ purpose: 'agent', room: 'r', identity: 'i' });
const TOKEN = tokenFor();

function asked(getToken) {
  return tokenAnswer(getToken)({ ...REQUEST });
}

for (const [how, getToken] of [
  ['at once', () => ({ token: 't' })],
  ['by a promise', async () => ({ token: 't' })],
  ['by any thenable', () => ({ then: (resolve) => resolve({ token: 't' }) })],
  ['with more than that', () => ({ token: 't', url: undefined, expires: 1 })],
]) {
  test(`a token is taken that is given ${how}`, async () => {
    assert.equal((await asked(getToken)).token, 't');
  });
}

test('the app is told what for, and cannot change it', async () => {
  let given;
  await asked((request) => {
    given = request;
    return { token: 't', url: 'wss://elsewhere' };
  });
  assert.deepEqual(given, REQUEST);
  assert.ok(Object.isFrozen(given));
});

test('only what can be meant goes on to the sidecar, in either form', async () => {
  const standard = { participant_token: 't', server_url: 'wss://elsewhere' };
  const given = (value) => asked(() => value).then((each) => JSON.parse(JSON.stringify(each)));
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
    await assert.rejects(thrown, { name: 'Error', message });
    const rejected = asked(() => Promise.reject(error));
    await assert.rejects(rejected, { name: 'Error', message });
  });
}
