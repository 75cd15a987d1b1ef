'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { PROXY_OPTION, proxyAnswer, proxyOf } = require('../../electron-bridge/lib/answers.cjs');

const SERVER = 'https://example.livekit.cloud';

/** The answer of an Electron whose default session answers with `resolveProxy`. */
function asked(option, resolveProxy, app) {
  const warnings = [];
  const session = { defaultSession: { resolveProxy } };
  const ports = { session, app, warn: (warning) => warnings.push(warning) };
  return { warnings, answer: proxyAnswer(option, ports)({ url: SERVER }) };
}

test('an address is that address, `none` is none, and neither asks the system', async () => {
  const never = () => assert.fail();
  assert.equal(await asked('http://proxy:3128', never).answer, 'http://proxy:3128');
  assert.equal(await asked('none', never).answer, null);
});

test('the system is asked for the server', async () => {
  const urls = [];
  const resolveProxy = async (url) => {
    urls.push(url);
    return 'PROXY proxy:3128; DIRECT';
  };
  const { answer, warnings } = asked('system', resolveProxy);
  assert.equal(await answer, 'http://proxy:3128');
  assert.deepEqual(urls, [SERVER]);
  assert.deepEqual(warnings, []);
});

test('the system is asked only when Electron is ready, before which it has no session', async () => {
  let becomeReady;
  const app = { whenReady: () => new Promise((resolve) => (becomeReady = resolve)) };
  const calls = [];
  const { answer } = asked('system', async () => calls.push('asked') && 'DIRECT', app);
  await new Promise(setImmediate);
  assert.deepEqual(calls, []);
  becomeReady();
  assert.equal(await answer, null);
  assert.deepEqual(calls, ['asked']);
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
  const { answer, warnings } = asked('system', async () => 'SOCKS5 s:1080; HTTPS h:443');
  assert.equal(await answer, null);
  assert.deepEqual(warnings, [
    'The sidecar cannot use a proxy of this kind: SOCKS5, HTTPS. Give `proxy` the address of an HTTP ' +
      'proxy if the server is not reached.',
  ]);
});

test('a system that does not say is an error, after which the environment counts', async () => {
  for (const resolveProxy of [
    () => Promise.reject(new Error('no session')),
    () => {
      throw new Error('no session');
    },
  ]) {
    await assert.rejects(asked('system', resolveProxy).answer, /no session/);
  }
});

test('an option is the address of an HTTP proxy', () => {
  for (const good of [
    'none',
    'system',
    'http://proxy',
    'http://proxy:3128/',
    'http://me:secret@10.0.0.1:3128',
  ]) {
    assert.match(good, PROXY_OPTION);
  }
  for (const bad of ['proxy:3128', 'https://proxy', 'socks5://proxy', 'http://', 'http://p/x']) {
    assert.doesNotMatch(bad, PROXY_OPTION);
  }
});
