'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { test } = require('node:test');

const { createTokenServer } = require('../../electron-bridge/example/token-server.cjs');

const SECRET = 'a-secret-of-thirty-two-characters';
const JSON_TYPE = { 'content-type': 'application/json' };
const NO_GRANTS = { canPublish: false, canSubscribe: false, canPublishData: false };

/** A token endpoint for room r; gives what it answers to a body. */
async function endpoint(t) {
  const server = createTokenServer({
    url: 'wss://example.livekit.cloud',
    apiKey: 'key',
    apiSecret: SECRET,
    room: 'r',
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return async (body, { path = '/token', method = 'POST', headers = JSON_TYPE } = {}) => {
    const options = { method, headers, ...(method === 'POST' && { body: JSON.stringify(body) }) };
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, options);
    return [response.status, await response.json()];
  };
}

/** The claims of a token, once its signature is seen to be right. */
function claimsOf(token) {
  const [header, payload, signature] = token.split('.');
  const expected = crypto.createHmac('sha256', SECRET).update(`${header}.${payload}`);
  assert.equal(signature, expected.digest('base64url'));
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url')), { alg: 'HS256', typ: 'JWT' });
  return JSON.parse(Buffer.from(payload, 'base64url'));
}

test('an agent may join the room, subscribe where it asks for that, and nothing else', async (t) => {
  const ask = await endpoint(t);
  const identity = 'clara-voice-agent-01234567';
  const grants = { canPublish: true, canSubscribe: true, canPublishData: true, roomAdmin: true };
  const [status, { url, token }] = await ask({ purpose: 'agent', room: 'r', identity, grants });
  assert.deepEqual([status, url], [200, 'wss://example.livekit.cloud']);
  const { exp, ...claims } = claimsOf(token);
  assert.deepEqual(claims, {
    iss: 'key',
    sub: identity,
    kind: 'agent',
    video: { room: 'r', roomJoin: true, ...NO_GRANTS, canSubscribe: true },
    roomConfig: { emptyTimeout: 3600, departureTimeout: 3600 },
  });
  assert.ok(exp * 1000 > Date.now());
  const unasked = await ask({ purpose: 'agent', room: 'r', identity });
  assert.deepEqual(claimsOf(unasked[1].token).video, { room: 'r', roomJoin: true, ...NO_GRANTS });
});

test('a person who names no identity gets one of their own', async (t) => {
  const ask = await endpoint(t);
  const asked = { purpose: 'connection', room: 'r' };
  const identities = [];
  for (const _ of [1, 2]) identities.push(claimsOf((await ask(asked))[1].token).sub);
  assert.match(identities[0], /^person-/);
  assert.notEqual(identities[0], identities[1]);
});

test('a person gets what is asked for, and never more than that', async (t) => {
  const ask = await endpoint(t);
  const grants = {
    canPublish: false,
    roomAdmin: true,
    kind: 'agent',
    metadata: 'm',
    attributes: { a: 'b' },
  };
  const body = { purpose: 'connection', room: 'r', identity: 'alice', name: 'Alice', grants };
  const { exp, ...claims } = claimsOf((await ask(body))[1].token);
  assert.deepEqual(claims, {
    iss: 'key',
    sub: 'alice',
    name: 'Alice',
    video: {
      room: 'r',
      roomJoin: true,
      canPublish: false,
      canSubscribe: true,
      canPublishData: true,
    },
    metadata: 'm',
    attributes: { a: 'b' },
  });
  assert.ok(exp * 1000 > Date.now());
});

test('no token outlives ten minutes', async (t) => {
  const ask = await endpoint(t);
  const grants = { ttlSeconds: 86_400 };
  const body = { purpose: 'connection', room: 'r', identity: 'alice', grants };
  const before = Math.floor(Date.now() / 1000);
  const { exp } = claimsOf((await ask(body))[1].token);
  assert.ok(exp - before <= 601, `${exp - before} s`);
});

const GOOD = Object.freeze({ purpose: 'connection', room: 'r', identity: 'alice' });
const REFUSED = [
  ['another room', { ...GOOD, room: 'other' }],
  ['no purpose', { ...GOOD, purpose: undefined }],
  ['no identity', { ...GOOD, identity: '' }],
  ['an identity that is no text', { ...GOOD, identity: { $ne: '' } }],
  ['an identity of 257 characters', { ...GOOD, identity: 'x'.repeat(257) }],
  ["a person under an agent's identity", { ...GOOD, identity: 'clara-voice-agent-01234567' }],
  ["an agent under a person's identity", { ...GOOD, purpose: 'agent' }],
  ['null', null],
];
for (const [what, body] of REFUSED) {
  test(`no token for ${what}`, async (t) => {
    const ask = await endpoint(t);
    const [status, answer] = await ask(body);
    assert.equal(status, 400);
    assert.deepEqual(Object.keys(answer), ['error']);
  });
}

const ELSEWHERE = [
  ['another path', { path: '/' }],
  ['a GET', { method: 'GET' }],
  ["what another site's page may send unasked", { headers: { 'content-type': 'text/plain' } }],
];
for (const [what, request] of ELSEWHERE) {
  test(`no token for ${what}`, async (t) => {
    const ask = await endpoint(t);
    assert.equal((await ask(GOOD, request))[0], 400);
  });
}
