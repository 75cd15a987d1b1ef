'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { test } = require('node:test');

const { TokenVerifier } = require('livekit-server-sdk');

const { createTokenServer } = require('../../../electron-bridge/example/token-server.cjs');

const SECRET = 'a-secret-of-thirty-two-characters';
const JSON_TYPE = { 'content-type': 'application/json' };
const SIGNED = ['iss', 'nbf', 'exp'];
const NO_GRANTS = { canPublish: false, canSubscribe: false, canPublishData: false };

/**
 * A token endpoint for room r; gives what it answers to a body: status, JSON and headers.
 *
 * By http and not by fetch, which sets Host and Origin itself.
 */
async function endpoint(t, nowMs = () => 0) {
  const server = createTokenServer({
    nowMs,
    url: 'wss://example.livekit.cloud',
    apiKey: 'key',
    apiSecret: SECRET,
    room: 'r',
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address();
  const ask = (body, { path = '/token', method = 'POST', headers = JSON_TYPE } = {}) =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, method, headers };
      const asked = http.request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.on('end', () => {
          resolve([response.statusCode, JSON.parse(text), response.headers]);
        });
      });
      asked.on('error', reject);
      asked.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  ask.port = port;
  return ask;
}

/** The claims that the endpoint chose, without what each token has. */
function chosen(token) {
  const claims = claimsOf(token);
  for (const name of SIGNED) delete claims[name];
  return claims;
}

/** The claims of a token, once its signature is seen to be right. */
function claimsOf(token) {
  const [header, payload, signature] = token.split('.');
  const expected = crypto.createHmac('sha256', SECRET).update(`${header}.${payload}`);
  assert.equal(signature, expected.digest('base64url'));
  assert.equal(JSON.parse(Buffer.from(header, 'base64url')).alg, 'HS256');
  return JSON.parse(Buffer.from(payload, 'base64url'));
}

test('an agent may join the room, and do there what it asks for and nothing else', async (t) => {
  const ask = await endpoint(t);
  const identity = 'clara-voice-agent-01234567';
  const grants = { canPublish: true, canSubscribe: true, canPublishData: false };
  const [status, { url, token }] = await ask({ purpose: 'agent', room: 'r', identity, grants });
  assert.deepEqual([status, url], [200, 'wss://example.livekit.cloud']);
  const { kind, sub, video, roomConfig } = claimsOf(token);
  assert.deepEqual([kind, sub], ['agent', identity]);
  assert.deepEqual(video, { room: 'r', roomJoin: true, ...grants });
  assert.deepEqual([roomConfig.emptyTimeout, roomConfig.departureTimeout], [3600, 3600]);
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

test('a person gets what is asked for, and may do what is not forbidden', async (t) => {
  const ask = await endpoint(t);
  const grants = { canPublish: false, metadata: 'm', attributes: { a: 'b' } };
  const body = { purpose: 'connection', room: 'r', identity: 'alice', name: 'Alice', grants };
  const { token } = (await ask(body))[1];
  assert.deepEqual(chosen(token), {
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
});

test("a token has LiveKit's own form: its own SDK takes it", async (t) => {
  const ask = await endpoint(t);
  const [, { token }] = await ask({ purpose: 'connection', room: 'r', identity: 'alice' });
  const claims = await new TokenVerifier('key', SECRET).verify(token);
  assert.equal(claims.sub, 'alice');
  await assert.rejects(new TokenVerifier('key', `${SECRET}x`).verify(token));
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
const of = (grants) => ({ ...GOOD, grants });
const REFUSED = [
  ['another room', { ...GOOD, room: 'other' }, /^room: /],
  ['no purpose', { ...GOOD, purpose: undefined }, /^purpose: /],
  ['no identity', { ...GOOD, identity: '' }, /^identity: /],
  ['an identity that is no text', { ...GOOD, identity: { $ne: '' } }, /^request\.identity: /],
  ['an identity of 257 bytes', { ...GOOD, identity: `${'ä'.repeat(128)}x` }, /^identity: /],
  ["a person under an agent's identity", { ...GOOD, identity: 'clara-voice-agent-0' }, /^identity/],
  ["an agent under a person's identity", { ...GOOD, purpose: 'agent' }, /^identity: /],
  ['a name that is no text', { ...GOOD, name: 5 }, /^request\.name: /],
  ['a name of null', { ...GOOD, name: null }, /^request\.name: /],
  ['a member that it does not know', { ...GOOD, admin: true }, /^request\.admin is not known/],
  ['a right that it does not know', of({ roomAdmin: true }), /^grants\.roomAdmin is not known/],
  ['a kind in place of a purpose', of({ kind: 'agent' }), /^grants\.kind is not known/],
  ['a right that is no yes or no', of({ canPublish: 'no' }), /^grants\.canPublish: /],
  ['grants that are a list', of([]), /^request\.grants: /],
  ['a lifetime of no time', of({ ttlSeconds: -1 }), /^grants\.ttlSeconds: /],
  ['a lifetime in words', of({ ttlSeconds: '10 years' }), /^grants\.ttlSeconds: /],
  ['half a second', of({ ttlSeconds: 0.5 }), /^grants\.ttlSeconds: /],
  ['attributes that are no texts', of({ attributes: { a: {} } }), /^grants\.attributes: /],
  ['long metadata', of({ metadata: 'x'.repeat(16_385) }), /^grants\.metadata: /],
  ['null', null, /^request: /],
  ['a list', [GOOD], /^request: /],
  ['what is no JSON', '{', /no JSON/],
];
for (const [what, body, words] of REFUSED) {
  test(`no token for ${what}`, async (t) => {
    const ask = await endpoint(t);
    const [status, answer] = await ask(body);
    assert.equal(status, 400);
    assert.deepEqual(Object.keys(answer), ['error']);
    assert.match(answer.error, words);
  });
}

const PLAIN = { 'content-type': 'text/plain' };
const ELSEWHERE = [
  ['another path', { path: '/' }, 404, /\/token/],
  ['a GET', { method: 'GET' }, 405, /POST/],
  ["what another site's page may send unasked", { headers: PLAIN }, 415, /application\/json/],
  ['a page', { headers: { ...JSON_TYPE, origin: 'http://localhost:3000' } }, 403, /Origin/],
  ['a page of no origin', { headers: { ...JSON_TYPE, origin: 'null' } }, 403, /Origin/],
  ['a name that was made to mean this machine', host('evil.example:80'), 403, /Host/],
  ['another port', host('127.0.0.1:1'), 403, /Host/],
];
for (const [what, request, status, words] of ELSEWHERE) {
  test(`no token for ${what}`, async (t) => {
    const ask = await endpoint(t);
    const [answered, { error }] = await ask(GOOD, request);
    assert.equal(answered, status);
    assert.match(error, words);
  });
}

/** The headers of a request to a host. */
function host(name) {
  return { headers: { ...JSON_TYPE, host: name } };
}

test('localhost is this machine, too', async (t) => {
  const ask = await endpoint(t);
  assert.equal((await ask(GOOD, host(`localhost:${ask.port}`)))[0], 200);
});

test('a body over 64 KiB is refused before it is read to its end', async (t) => {
  const ask = await endpoint(t);
  const [status, { error }] = await ask({ ...GOOD, name: 'x'.repeat(70_000) });
  assert.deepEqual([status, error], [413, 'the body: at most 65536 bytes']);
});

test('thirty tokens come at once, then three a second', async (t) => {
  let nowMs = 0;
  const ask = await endpoint(t, () => nowMs);
  for (let number = 0; number < 30; number += 1) assert.equal((await ask(GOOD))[0], 200);
  const [status, { error }, headers] = await ask(GOOD);
  assert.deepEqual([status, headers['retry-after']], [429, '1']);
  assert.match(error, /3 a second/);
  nowMs += 1000;
  const later = [];
  for (let number = 0; number < 4; number += 1) later.push((await ask(GOOD))[0]);
  assert.deepEqual(later, [200, 200, 200, 429]);
});

for (const readme of ['README.md', 'electron-bridge/README.md']) {
  test(`the getToken of ${readme} gets a token from it`, async (t) => {
    const { port } = await endpoint(t);
    const text = fs.readFileSync(path.join(__dirname, '../../..', readme), 'utf8');
    const [sample] = /(?<=getToken: )async \(request\) => \{$.*?^ {2}\}(?=,$)/ms.exec(text);
    const url = `http://127.0.0.1:${port}/token`;
    const getToken = eval(sample.replace(/https:[^']+/, url));
    const { token } = await getToken(GOOD);
    assert.equal(claimsOf(token).sub, 'alice');
  });
}

/** Runs the program until it ends; gives its status and stderr. */
function ended(settings) {
  const program = require.resolve('../../../electron-bridge/example/token-server.cjs');
  const env = { ...settings, NODE_PATH: process.env.NODE_PATH };
  const { status, stderr } = spawnSync(process.execPath, [program], { env, encoding: 'utf8' });
  return [status, stderr];
}

test('without its settings the program says which are missing', () => {
  const missing = 'Set LIVEKIT_API_KEY, LIVEKIT_API_SECRET, LIVEKIT_ROOM.\n';
  assert.deepEqual(ended({ LIVEKIT_URL: 'ws://127.0.0.1:7880' }), [2, missing]);
});

test('on a port that is taken, or is no number, the program says so in one line', async (t) => {
  const settings = {
    LIVEKIT_URL: 'ws://127.0.0.1:7880',
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: SECRET,
    LIVEKIT_ROOM: 'r',
  };
  const { port } = await endpoint(t);
  const taken = `Port ${port} is taken. Set PORT to another.\n`;
  assert.deepEqual(ended({ ...settings, PORT: String(port) }), [1, taken]);
  const wrong = 'PORT: a whole number from 0 to 65535 is needed.\n';
  assert.deepEqual(ended({ ...settings, PORT: 'abc' }), [2, wrong]);
});
