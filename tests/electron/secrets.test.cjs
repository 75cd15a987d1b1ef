'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { withoutSecrets } = require('../../electron-bridge/lib/logs.cjs');
const { tokenFor } = require('./fixtures/tokens.cjs');

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
