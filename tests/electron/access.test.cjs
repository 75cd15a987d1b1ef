'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');

const { NO_FOLDER, ScriptedApp } = require('./fixtures/scripted-app.cjs');
const { crash, next, notified, scripted, started, statesOf } = require('./fixtures/scripted.cjs');
const { scriptedGetToken, tokenFor } = require('./fixtures/tokens.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });
const WHERE = Object.freeze({ url: 'ws://127.0.0.1:1', room: 'r', identity: 'agent-1' });
const AGENT = tokenFor({ identity: 'agent-1' });
const UNAUTHORIZED = { category: 'unauthorized', detail: 'd', fix: 'f', retryable: false };

/** A sidecar of an app without secrets. */
function withGetToken(t, getToken, options = {}) {
  return scripted(t, {}, { connect: WHERE, getToken, ...options });
}

/** Lets the sidecar ask the app, and gives the response that it gets. */
function answerTo(sidecar, method, params) {
  return sidecar.request('ask', { method, params });
}

test('the sidecar is told what it may ask', BOUND, async (t) => {
  for (const [options, capabilities] of [
    [{}, undefined],
    [{ getToken: () => ({ token: AGENT }) }, { getToken: true }],
    [{ proxy: 'none' }, { resolveProxy: true }],
  ]) {
    const sidecar = await started(t, {}, options);
    const { client } = await sidecar.request('last-initialize');
    assert.deepEqual(client.capabilities, capabilities);
  }
});

test('the sidecar gets the token that the app gives', BOUND, async (t) => {
  const getToken = scriptedGetToken();
  const sidecar = withGetToken(t, getToken);
  await sidecar.start();
  assert.deepEqual(await sidecar.request('last-connect'), WHERE);
  const request = { purpose: 'agent', room: 'r', identity: 'agent-1' };
  const answer = answerTo(sidecar, 'getToken', request);
  while (getToken.requests.length === 0) await new Promise(setImmediate);
  assert.deepEqual(getToken.requests, [request]);
  getToken.resolve({ token: AGENT });
  assert.deepEqual(await answer, { jsonrpc: '2.0', result: { token: AGENT } });
});

test('a given token is for the first join alone where there is a getToken', BOUND, async (t) => {
  const restart = { delaysMs: [1] };
  const connect = { url: WHERE.url, room: 'r', token: AGENT };
  const getToken = scriptedGetToken();
  const sidecar = withGetToken(t, getToken, { connect, restart });
  await sidecar.start();
  assert.deepEqual(await sidecar.request('last-connect'), { ...WHERE, token: AGENT });
  const ready = next(sidecar, 'process-state', ({ state }) => state === 'ready');
  await crash(sidecar, { status: 3 });
  await ready;
  assert.deepEqual(await sidecar.request('last-connect'), WHERE);
});

test(
  'what getToken fails with goes to the sidecar alone, which takes tokens out of it',
  BOUND,
  async (t) => {
    const lines = [];
    const keep = (line) => lines.push(line);
    const logger = { debug: keep, info: keep, warn: keep, error: keep };
    const getToken = () => Promise.reject(new Error(`refused: ${AGENT}`));
    const sidecar = withGetToken(t, getToken, { logger });
    await sidecar.start();
    const { error } = await answerTo(sidecar, 'getToken', {});
    assert.equal(error.message, `getToken failed: refused: ${AGENT}`);
    assert.ok(!lines.join('\n').includes(AGENT.slice(5, 30)));
  },
);

test('a stop does not wait for the app, whose late token goes nowhere', BOUND, async (t) => {
  const getToken = scriptedGetToken();
  const sidecar = withGetToken(t, getToken);
  await sidecar.start();
  answerTo(sidecar, 'getToken', {}).catch(() => {});
  while (getToken.requests.length === 0) await new Promise(setImmediate);
  await sidecar.stop();
  getToken.resolve({ token: AGENT });
  await new Promise(setImmediate); // an unhandled rejection fails the test
});

test('createConnection is the sidecar’s to answer', BOUND, async (t) => {
  const sidecar = withGetToken(t, scriptedGetToken());
  await assert.rejects(sidecar.createConnection(), { code: 'NOT_READY' });
  await sidecar.start();
  await assert.rejects(sidecar.createConnection('alice'), TypeError);
  await assert.rejects(sidecar.createConnection(), { code: -32601 }); // the scripted one has none
  const stopped = sidecar.stop();
  await assert.rejects(sidecar.createConnection(), { code: 'STOPPED' });
  await stopped;
});

const APP = Object.freeze({ userData: NO_FOLDER });
function session(words) {
  return { defaultSession: { resolveProxy: async () => words } };
}

for (const [what, options, result] of [
  ['the option is an address', { proxy: 'http://p:1' }, 'http://p:1'],
  ['the option is none', { proxy: 'none' }, null],
  [
    'the system names one',
    { proxy: 'system', electron: { app: new ScriptedApp(APP), session: session('PROXY s:1') } },
    'http://s:1',
  ],
]) {
  test(`the sidecar is told of its proxy when ${what}`, BOUND, async (t) => {
    const sidecar = await started(t, {}, options);
    const answer = await answerTo(sidecar, 'resolveProxy', { url: 'https://host' });
    assert.equal(answer.result, result);
  });
}

for (const [hasLock, isOn, code] of [
  [false, true, 'BUSY'],
  [true, true, null],
  [false, false, null],
  [undefined, true, null],
]) {
  test(`lock ${hasLock}, required ${isOn}: a start is ${code || 'done'}`, BOUND, async (t) => {
    const app = new ScriptedApp(APP);
    if (hasLock !== undefined) app.hasSingleInstanceLock = () => hasLock;
    const sidecar = scripted(t, {}, { electron: { app }, requireSingleInstanceLock: isOn });
    if (code === null) {
      await sidecar.start();
      return;
    }
    const failed = next(sidecar, 'process-state');
    await assert.rejects(sidecar.start(), { name: 'SidecarError', code });
    assert.deepEqual(
      [(await failed).state, app.eventNames()],
      ['failed', ['browser-window-created']],
    );
    const quit = once(app, 'quit');
    app.quit();
    await quit;
  });
}
