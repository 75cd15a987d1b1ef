'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const {
  ANSWER_WITHIN_MS,
  PROXY_OPTION,
  chosenProxy,
  proxyOf,
  withProxy,
} = require('../../electron-bridge/lib/electron/proxy.cjs');
const { ScriptedDeadlines } = require('./fixtures/scripted-deadlines.cjs');

const SERVER = 'wss://example.livekit.cloud';

/** A choice by an Electron whose default session answers with `resolveProxy`. */
function chosen(option, resolveProxy, app) {
  const deadlines = new ScriptedDeadlines();
  const warnings = [];
  const session = { defaultSession: { resolveProxy } };
  const ports = { session, app, deadlines, warn: (warning) => warnings.push(warning) };
  return { deadlines, warnings, ...chosenProxy(option, SERVER, ports) };
}

test('an address is that address, `none` is none, and neither asks the system', async () => {
  const never = () => assert.fail();
  assert.equal(await chosen('http://proxy:3128', never).answer, 'http://proxy:3128');
  assert.equal(await chosen('none', never).answer, null);
});

test('the system is asked for the https form of the server', async () => {
  const asked = [];
  const resolveProxy = async (url) => {
    asked.push(url);
    return 'PROXY proxy:3128; DIRECT';
  };
  const { answer, deadlines, warnings } = chosen('system', resolveProxy);
  assert.equal(await answer, 'http://proxy:3128');
  assert.deepEqual(asked, ['https://example.livekit.cloud']);
  assert.deepEqual([deadlines.size, warnings], [0, []]);
});

test('the system is asked only when Electron is ready, before which it has no session', async () => {
  let becomeReady;
  const app = { whenReady: () => new Promise((resolve) => (becomeReady = resolve)) };
  const calls = [];
  const { answer, deadlines } = chosen('system', async () => calls.push('asked') && 'DIRECT', app);
  await deadlines.pass(ANSWER_WITHIN_MS); // however long that takes
  assert.deepEqual(calls, []);
  becomeReady();
  assert.equal(await answer, null);
});

const ANSWERS = [
  ['DIRECT', null, false],
  ['', null, false],
  ['PROXY a:1', 'http://a:1', false],
  ['PROXY a:1; PROXY b:2; DIRECT', 'http://a:1', false],
  ['proxy  a:1 ;direct', 'http://a:1', false],
  ['PROXY [fd00::1]:3128', 'http://[fd00::1]:3128', false],
  ['DIRECT; PROXY a:1', null, false],
  ['SOCKS5 s:1080; PROXY a:1', 'http://a:1', true],
  ['HTTPS h:443; DIRECT', null, true],
  ['SOCKS s:1080', null, true],
  ['PROXY', null, true],
];
for (const [words, proxy, isWarned] of ANSWERS) {
  test(`"${words}" means ${proxy}${isWarned ? ', with a warning' : ''}`, () => {
    const found = proxyOf(words);
    assert.equal(found.proxy, proxy);
    assert.equal(found.problem !== undefined, isWarned);
  });
}

test('a kind of proxy that cannot be used is told', async () => {
  const { answer, warnings } = chosen('system', async () => 'SOCKS5 s:1080; HTTPS h:443');
  assert.equal(await answer, null);
  assert.deepEqual(warnings, [
    'The system names a proxy of a kind that the sidecar cannot use (SOCKS5, HTTPS); it uses no ' +
      'proxy. Give `proxy` the address of an HTTP proxy if that does not reach the server.',
  ]);
});

test('a system that does not say leaves the environment as it is, with a warning', async () => {
  for (const resolveProxy of [
    () => Promise.reject(new Error('no session')),
    () => {
      throw new Error('no session');
    },
  ]) {
    const { answer, warnings } = chosen('system', resolveProxy);
    assert.equal(await answer, undefined);
    assert.deepEqual(warnings, [
      'The system does not say which proxy to use, so the environment does: no session.',
    ]);
  }
});

test('a system that takes longer than 5 s is not waited for', async () => {
  const { answer, deadlines, warnings } = chosen('system', () => new Promise(() => {}));
  await deadlines.pass(0); // Electron is ready
  await deadlines.pass(ANSWER_WITHIN_MS);
  assert.equal(await answer, undefined);
  assert.equal(warnings.length, 1);
});

test('a start that is given up leaves nothing behind, and no warning', async () => {
  for (const isReady of [false, true]) {
    const { answer, abandon, deadlines, warnings } = chosen('system', () => new Promise(() => {}));
    if (isReady) await deadlines.pass(0);
    abandon();
    assert.equal(await answer, undefined);
    assert.deepEqual([deadlines.size, warnings], [0, []]);
  }
});

test('the proxy chosen is the only one that the sidecar knows, with no exceptions from it', () => {
  const before = {
    PATH: '/bin',
    HTTP_PROXY: 'http://old',
    https_proxy: 'http://old',
    All_Proxy: 'socks5://old',
    NO_PROXY: '*',
  };
  const given = { ...before };
  const both = { HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://p:1' };
  assert.deepEqual(withProxy(given, 'http://p:1'), { PATH: '/bin', ...both });
  assert.deepEqual(withProxy(given, null), { PATH: '/bin' });
  assert.deepEqual(given, before);
});

test('an option is the address of an HTTP proxy', () => {
  for (const good of ['http://proxy', 'http://proxy:3128/', 'http://me:secret@10.0.0.1:3128']) {
    assert.match(good, PROXY_OPTION);
  }
  for (const bad of ['proxy:3128', 'https://proxy', 'socks5://proxy', 'http://', 'http://p/x']) {
    assert.doesNotMatch(bad, PROXY_OPTION);
  }
});
