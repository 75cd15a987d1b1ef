'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');

const { ScriptedApp } = require('./fixtures/scripted-app.cjs');
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

/** Waits until getToken was asked for the count-th time. */
function askedFor(getToken, count) {
  return new Promise((resolve) => {
    const look = () => (getToken.requests.length >= count ? resolve() : setImmediate(look));
    look();
  });
}

test('start() does not wait for a token, nor does any other request', BOUND, async (t) => {
  const getToken = scriptedGetToken();
  const sidecar = withGetToken(t, getToken);
  await sidecar.start();
  assert.equal(await sidecar.request('ping'), 'pong');
  assert.equal(await sidecar.request('last-connect'), null);
  const connected = next(sidecar, 'agent-state-changed');
  getToken.resolve({ token: AGENT });
  assert.equal((await connected).state, 'connected');
  assert.deepEqual(await sidecar.request('last-connect'), { ...WHERE, token: AGENT });
});

test('an agent that waits for a token gets another one', BOUND, async (t) => {
  const getToken = scriptedGetToken();
  const sidecar = withGetToken(t, getToken);
  await sidecar.start();
  getToken.resolve({ token: AGENT });
  await next(sidecar, 'agent-state-changed');
  await notified(sidecar, 'agent-state-changed', {
    state: 'waiting-for-token',
    previousState: 'connecting',
    error: UNAUTHORIZED,
  });
  assert.equal(getToken.requests.length, 2);
});

test('a getToken that fails is told as the state of the agent', BOUND, async (t) => {
  const getToken = scriptedGetToken();
  const sidecar = withGetToken(t, getToken);
  await sidecar.start();
  const told = next(sidecar, 'agent-state-changed');
  getToken.reject(new Error('down'));
  const { state, previousState, error, retryInMs, seq } = await told;
  assert.deepEqual([state, previousState, seq], ['waiting-for-token', 'idle', 1]);
  assert.deepEqual([error.category, error.retryable], ['unauthorized', true]);
  assert.match(error.detail, /getToken failed: down/);
  assert.ok(retryInMs >= 0 && retryInMs <= 1000);
  assert.equal(sidecar.agentState, 'waiting-for-token');
});

test('the process after a crash joins with a token of its own', BOUND, async (t) => {
  const getToken = scriptedGetToken();
  const connect = { ...WHERE, token: AGENT };
  const restart = { max: 3, windowMs: 60_000, delaysMs: [1] };
  const sidecar = withGetToken(t, getToken, { connect, restart });
  await sidecar.start();
  assert.equal(getToken.requests.length, 0);
  const ready = next(sidecar, 'process-state', ({ state }) => state === 'ready');
  await crash(sidecar, { status: 3 });
  await ready;
  await askedFor(getToken, 1);
  assert.equal(await sidecar.request('last-connect'), null);
});

test(
  'createConnection is answered through getToken, and the sidecar is not asked',
  BOUND,
  async (t) => {
    const getToken = scriptedGetToken();
    const sidecar = withGetToken(t, getToken);
    await sidecar.start();
    await askedFor(getToken, 1);
    const asked = sidecar.createConnection({ identity: 'alice', canPublish: false });
    await askedFor(getToken, 2);
    assert.deepEqual(getToken.requests[1], {
      purpose: 'connection',
      room: 'r',
      identity: 'alice',
      grants: { canPublish: false, canSubscribe: true, canPublishData: true },
    });
    const token = tokenFor();
    getToken.resolve({ token });
    const { expiresAt, ...details } = await asked;
    assert.deepEqual(details, { url: WHERE.url, room: 'r', identity: 'alice', token });
    assert.equal(expiresAt, '2100-01-01T00:00:00.000Z');
  },
);

test(
  "nobody gets the agent's own identity, nor an identity by anything but an object",
  BOUND,
  async (t) => {
    const getToken = scriptedGetToken();
    const sidecar = withGetToken(t, getToken);
    await sidecar.start();
    await assert.rejects(sidecar.createConnection({ identity: 'agent-1' }), { code: -32602 });
    await assert.rejects(sidecar.createConnection('alice'), TypeError);
  },
);

test('createConnection fails as other requests do while no sidecar runs', BOUND, async (t) => {
  const sidecar = withGetToken(t, scriptedGetToken());
  await assert.rejects(sidecar.createConnection(), { code: 'NOT_READY' });
  await sidecar.start();
  const open = sidecar.createConnection();
  const stopped = sidecar.stop();
  await assert.rejects(open, { code: 'STOPPED' });
  await assert.rejects(sidecar.createConnection(), { code: 'STOPPED' });
  await stopped;
});

test('createConnection takes no longer than other requests may', BOUND, async (t) => {
  const sidecar = withGetToken(t, scriptedGetToken(), { requestTimeoutMs: 1 });
  const ready = next(sidecar, 'process-state', ({ state }) => state === 'ready');
  await Promise.all([sidecar.start(), ready]);
  await assert.rejects(sidecar.createConnection(), { code: 'TIMEOUT' });
});

test('a token is in no log line, no event and no error', BOUND, async (t) => {
  const lines = [];
  const keep = (line) => lines.push(line);
  const logger = { debug: keep, info: keep, warn: keep, error: keep };
  const getToken = () => Promise.reject(new Error(`refused: ${AGENT}`));
  const sidecar = withGetToken(t, getToken, { logger });
  sidecar.on('agent-state-changed', (params) => lines.push(JSON.stringify(params)));
  const told = next(sidecar, 'agent-state-changed');
  await sidecar.start();
  await told;
  const error = await sidecar.createConnection({ identity: 'alice' }).catch((each) => each);
  lines.push(error.stack, JSON.stringify(error));
  assert.ok(lines.some((line) => line.includes('refused: [token]')));
  assert.ok(!lines.join('\n').includes(AGENT.slice(5, 30)));
});

const APP = Object.freeze({ userData: '/nowhere' });
function session(words) {
  return { defaultSession: { resolveProxy: async () => words } };
}

for (const [what, options, expected] of [
  ['the option is an address', { proxy: 'http://p:1' }, ['http://p:1', 'http://p:1', undefined]],
  ['the option is none', { proxy: 'none' }, [undefined, undefined, undefined]],
  ['there is no option', {}, ['http://env:1', undefined, 'x']],
  [
    'the system names one',
    { proxy: 'system', electron: { app: new ScriptedApp(APP), session: session('PROXY s:1') } },
    ['http://s:1', 'http://s:1', undefined],
  ],
]) {
  test(`the sidecar is told of its proxy when ${what}`, BOUND, async (t) => {
    const env = { ...process.env, HTTP_PROXY: 'http://env:1', NO_PROXY: 'x' };
    delete env.HTTPS_PROXY;
    const sidecar = await started(t, {}, { env, ...options });
    const { env: seen } = await sidecar.request('surroundings');
    assert.deepEqual([seen.HTTP_PROXY, seen.HTTPS_PROXY, seen.NO_PROXY], expected);
  });
}

test('what is asked while the proxy is not known yet is answered afterwards', BOUND, async (t) => {
  let answer;
  const resolveProxy = () => new Promise((resolve) => (answer = resolve));
  const electron = { app: new ScriptedApp(APP), session: { defaultSession: { resolveProxy } } };
  const sidecar = scripted(t, {}, { electron, proxy: 'system' });
  const start = sidecar.start();
  const pong = sidecar.request('ping');
  await new Promise(setImmediate);
  answer('DIRECT');
  await start;
  assert.equal(await pong, 'pong');
});

test('a start that is stopped before its proxy is known starts nothing', BOUND, async (t) => {
  const resolveProxy = () => new Promise(() => {});
  const app = new ScriptedApp(APP);
  const electron = { app, session: { defaultSession: { resolveProxy } } };
  const sidecar = scripted(t, {}, { electron, proxy: 'system' });
  const states = statesOf(sidecar);
  const exits = [];
  sidecar.on('exit', (event) => exits.push(event));
  const start = sidecar.start();
  const stop = sidecar.stop();
  await assert.rejects(start, { code: 'STOPPED' });
  await stop;
  assert.deepEqual([states, exits], [['starting', 'stopping', 'idle'], []]);
  app.quit();
  assert.equal(app.hasQuit, true);
});

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
