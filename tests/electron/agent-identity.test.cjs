'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { agentIdentity } = require('../../electron-bridge/lib/tokens/agent-identity.cjs');

function emptyFolder(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'identity-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

test('without Electron the identity is clara-voice-agent', () => {
  assert.deepEqual(agentIdentity(undefined), { identity: 'clara-voice-agent' });
});

test('an installation keeps its identity, and another one has another', (t) => {
  const here = emptyFolder(t);
  const first = agentIdentity(here);
  assert.match(first.identity, /^clara-voice-agent-[0-9a-f]{8}$/);
  assert.deepEqual(agentIdentity(here), first);
  assert.notEqual(agentIdentity(emptyFolder(t)).identity, first.identity);
});

test('a file that holds anything else is made anew', (t) => {
  const folder = emptyFolder(t);
  const { identity } = agentIdentity(folder);
  const [name] = fs.readdirSync(folder);
  fs.writeFileSync(path.join(folder, name), '');
  const second = agentIdentity(folder).identity;
  assert.notEqual(second, identity);
  assert.equal(agentIdentity(folder).identity, second);
});

test('where it cannot be kept there is one all the same, and a warning that names the file', (t) => {
  const folder = path.join(emptyFolder(t), 'nothing');
  const { identity, warning } = agentIdentity(folder);
  assert.match(identity, /^clara-voice-agent-[0-9a-f]{8}$/);
  assert.ok(warning.includes(folder) && warning.includes('ENOENT'));
});
