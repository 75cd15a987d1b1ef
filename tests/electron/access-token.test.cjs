'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const {
  tokenClaims,
  withoutSecrets,
} = require('../../electron-bridge/lib/tokens/access-token.cjs');
const { tokenFor } = require('./fixtures/tokens.cjs');

const encoded = (text) => Buffer.from(text).toString('base64url');

test('a token says for whom, for which room and until when it is', () => {
  const identity = 'zoë 🎤 ???>>>'; // base64url and base64 differ here
  assert.deepEqual(tokenClaims(tokenFor({ identity, room: 'räume/1', exp: 1000 })), {
    identity,
    room: 'räume/1',
    expiresAtMs: 1_000_000,
  });
});

for (const [what, claims] of [
  ['nothing', {}],
  ['numbers for texts', { sub: 1, video: { room: 2 } }],
  ['no grants', { video: null }],
  ['an expiry that is no number', { exp: '1' }],
  ['an expiry that is no date', { exp: 1e300 }],
]) {
  test(`claims with ${what} are read as far as they go`, () => {
    const token = `e30.${encoded(JSON.stringify(claims))}.x`;
    assert.deepEqual(tokenClaims(token), { identity: '', room: '', expiresAtMs: null });
  });
}

for (const text of [
  '',
  'x',
  'a.b',
  'a..c',
  'a.b.c.d',
  `a.${encoded('no JSON')}.c`,
  `a.${encoded('[]')}.c`,
  `a.${encoded('null')}.c`,
  `a.${encoded('"text"')}.c`,
]) {
  test(`"${text}" is no token`, () => assert.equal(tokenClaims(text), null));
}

const TOKEN = tokenFor();
for (const words of [
  `refused: ${TOKEN}`,
  `refused: ${TOKEN.slice(0, 30)}`,
  `refused: ${TOKEN} and ${TOKEN}`,
  `wss://host/rtc?access_token=${TOKEN.slice(3)}&x=1`,
  `Authorization: Bearer ${TOKEN.slice(3)}`,
  `http://me:${TOKEN.slice(3)}@proxy:3128`,
]) {
  test(`nothing of a token is left of "${words.slice(0, 24)}…"`, () => {
    const clean = withoutSecrets(words);
    for (let at = 3; at + 12 < 30; at += 1) assert.ok(!clean.includes(TOKEN.slice(at, at + 12)));
    assert.match(clean, /\[(token|secret)\]/);
  });
}

test('what stands around a secret stays', () => {
  assert.equal(withoutSecrets(`before ${TOKEN} after`), 'before [token] after');
  assert.equal(withoutSecrets('no secret: 10:30 a@b //x'), 'no secret: 10:30 a@b //x');
});
