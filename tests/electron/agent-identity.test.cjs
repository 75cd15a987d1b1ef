'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const {
  agentIdentity,
  withIdentity,
} = require('../../electron-bridge/lib/electron/agent-identity.cjs');
const { newFolder } = require('./fixtures/folders.cjs');
const { tokenFor } = require('./fixtures/tokens.cjs');

test('without Electron the identity is clara-voice-agent', () => {
  assert.equal(agentIdentity(undefined, assert.fail), 'clara-voice-agent');
});

test('an installation keeps its identity, and another one has another', () => {
  const here = newFolder();
  const first = agentIdentity(here, assert.fail);
  assert.match(first, /^clara-voice-agent-[0-9a-f]{8}$/);
  assert.equal(agentIdentity(here, assert.fail), first);
  assert.notEqual(agentIdentity(newFolder(), assert.fail), first);
});

test('a file that holds anything else is made anew', () => {
  const folder = newFolder();
  const first = agentIdentity(folder, assert.fail);
  const [name] = fs.readdirSync(folder);
  fs.writeFileSync(path.join(folder, name), '');
  const second = agentIdentity(folder, assert.fail);
  assert.notEqual(second, first);
  assert.equal(agentIdentity(folder, assert.fail), second);
});

test('where it cannot be kept there is one all the same, and a warning that names the file', () => {
  const folder = path.join(newFolder(), 'nothing');
  const warnings = [];
  assert.match(
    agentIdentity(folder, (warning) => warnings.push(warning)),
    /^clara-voice-agent-[0-9a-f]{8}$/,
  );
  assert.deepEqual(
    warnings.map((warning) => [warning.includes(folder), warning.includes('ENOENT')]),
    [[true, true]],
  );
});

test("the identity is the given one, else the token's, else the kept one", () => {
  const where = { url: 'ws://h', room: 'r' };
  const token = tokenFor({ identity: 'zoë 🎤 ???>>>' }); // base64url and base64 differ here
  const identity = (connect, hasGetToken = false) =>
    withIdentity({ ...where, ...connect }, hasGetToken, () => undefined, assert.fail).identity;
  assert.equal(identity({ identity: 'given', token }, true), 'given');
  assert.equal(identity({ token }), undefined, 'a token alone names it');
  assert.equal(identity({ token }, true), 'zoë 🎤 ???>>>');
  for (const odd of ['', 'x', 'a.b.c', `a.${Buffer.from('[1]').toString('base64')}.c`]) {
    assert.equal(identity({ token: odd }, true), 'clara-voice-agent');
  }
  assert.equal(identity({ apiKey: 'k', apiSecret: 's' }), 'clara-voice-agent');
  assert.equal(identity({}, true), 'clara-voice-agent');
});
