'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { createSidecar } = require('../../electron-bridge/index.cjs');
const { checkedOptions } = require('../../electron-bridge/lib/options.cjs');
const { ScriptedApp } = require('./fixtures/scripted-app.cjs');
const { CONNECT } = require('./fixtures/scripted.cjs');

const SECRET = 'do-not-show-this';

/** [what is given, what the message must say] */
const REFUSED = [
  [undefined, 'the options must be an object, got undefined.'],
  [{}, '`connect` must be an object, as { url, room, token }, got undefined.'],
  [{ connect: 'ws://x' }, '`connect` must be an object'],
  [
    { connect: {} },
    "`connect.url` must be the LiveKit server's address (LIVEKIT_URL): wss:// or ws://, and a host, " +
      'got undefined.',
  ],
  [{ connect: { ...CONNECT, url: 'example.com' } }, '`connect.url` must be'],
  [{ connect: { ...CONNECT, url: 'ws://' } }, '`connect.url` must be'],
  [
    { connect: { ...CONNECT, room: '' } },
    '`connect.room` must be the name of a room, got an empty string.',
  ],
  [
    { connect: { ...CONNECT, token: '' } },
    '`connect.token` must be an access token, got an empty string.',
  ],
  [
    { connect: { ...CONNECT, identity: 7 } },
    '`connect.identity` must be the identity under which the agent joins, got 7.',
  ],
  [
    { connect: { url: CONNECT.url, room: 'r' } },
    '`connect` needs a `token`, or an `apiKey` together with its `apiSecret`, unless there is a ' +
      '`getToken`.',
  ],
  [{ connect: { url: CONNECT.url, room: 'r', apiKey: 'k' } }, '`connect` needs'],
  [{ connect: { ...CONNECT, apiSecret: SECRET } }, '`connect` needs'],
  [
    { connect: { ...CONNECT, join: 'sometimes' } },
    "`connect.join` must be 'always' or 'needed', got a string.",
  ],
  [
    { connect: { ...CONNECT, join: 'needed', leaveAfterMs: -1 } },
    '`connect.leaveAfterMs` must be a whole number of milliseconds, got -1.',
  ],
  [
    { connect: { ...CONNECT, tokn: 't' } },
    'there is no option `connect.tokn`. The options are connect.url, ',
  ],
  [
    { connect: CONNECT, electron: { app: new ScriptedApp(), ipcMain: {} } },
    "`electron` must be an object with Electron's `app` at least",
  ],
  [
    { connect: CONNECT, allowedOrigins: 'app://main' },
    '`allowedOrigins` must be an array of origins, as app://main, or file:// for files',
  ],
  [{ connect: CONNECT, allowedOrigins: ['*'] }, '`allowedOrigins` must be an array of origins'],
  [
    { connect: CONNECT, allowedOrigins: ['https://example.com/'] },
    '`allowedOrigins` must be an array of origins',
  ],
  [{ connect: CONNECT, comand: 'x' }, 'there is no option `comand`. The options are command, '],
  [
    { connect: CONNECT, command: '' },
    '`command` must be a program: a path, or a name on PATH, got an empty string.',
  ],
  [
    { connect: CONNECT, command: 'x', args: '-m' },
    '`args` must be an array of strings, got a string.',
  ],
  [
    { connect: CONNECT, command: 'x', args: [1] },
    '`args` must be an array of strings, got an array.',
  ],
  [{ connect: CONNECT, args: ['-m'] }, '`args` are the arguments of `command`, which is missing.'],
  [{ connect: CONNECT, cwd: 3 }, '`cwd` must be the path of a folder, got 3.'],
  [
    { connect: CONNECT, env: { A: 1 } },
    '`env` must be an object of strings, as process.env, got an object.',
  ],
  [
    { connect: CONNECT, logger: {} },
    '`logger` must be an object with the methods debug, info, warn, error, got an object.',
  ],
  [
    { connect: CONNECT, electron: {} },
    "`electron` must be an object with Electron's `app` at least, or false for none, got an object.",
  ],
  [
    { connect: CONNECT, getToken: SECRET },
    '`getToken` must be a function that gives { token }, or a promise of it, got a string.',
  ],
  [
    { connect: CONNECT, proxy: `http://me:${SECRET}@proxy/path` },
    "`proxy` must be 'system', 'none', or the address of an HTTP proxy, as http://proxy:3128, got " +
      'a string.',
  ],
  [
    { connect: CONNECT, proxy: 'system' },
    "the `proxy` 'system' needs Electron's `session` in `electron`.",
  ],
  [
    { connect: CONNECT, requireSingleInstanceLock: 1 },
    '`requireSingleInstanceLock` must be true or false, got 1.',
  ],
  [
    { connect: CONNECT, requireSingleInstanceLock: true },
    "`requireSingleInstanceLock` needs Electron's `app`.",
  ],
  [
    { connect: CONNECT, startTimeoutMs: 0 },
    '`startTimeoutMs` must be a whole number from 1 to 2147483647, got 0.',
  ],
  [
    { connect: CONNECT, requestTimeoutMs: 2 ** 31 },
    '`requestTimeoutMs` must be a whole number from 1 to 2147483647, got 2147483648.',
  ],
  [{ connect: CONNECT, requestTimeoutMs: Infinity }, 'got Infinity.'],
  [
    { connect: { ...CONNECT, autoSubscribe: 'yes' } },
    '`connect.autoSubscribe` must be true or false, got a string.',
  ],
  [
    { connect: CONNECT, logLevel: 'warn' },
    '`logLevel` must be one of debug, info, warning, error, critical, got a string.',
  ],
  [
    { connect: CONNECT, restart: { maximum: 3 } },
    'there is no option `restart.maximum`. The options are restart.max, restart.windowMs, ',
  ],
  [{ connect: CONNECT, restart: true }, '`restart` must be false, or an object, as { max: 5 }'],
  [{ connect: CONNECT, restart: { max: -1 } }, '`restart.max` must be a whole number, got -1.'],
  [
    { connect: CONNECT, restart: { windowMs: 0 } },
    '`restart.windowMs` must be a whole number from',
  ],
  [
    { connect: CONNECT, restart: { delaysMs: [] } },
    '`restart.delaysMs` must be an array of whole numbers, one at least',
  ],
  [
    { connect: CONNECT, pages: { createConnection: true } },
    '`pages.createConnection` must be false, or a function (request) => request, got true.',
  ],
  [{ connect: CONNECT, pages: { closeSession: true } }, '`pages.closeSession` must be false, got'],
  [{ connect: CONNECT, pages: { sendText: true } }, '`pages.sendText` must be false, got'],
  [{ connect: CONNECT, pages: 'none' }, '`pages` must be an object'],
  [
    { connect: CONNECT, voice: { language: 'x'.repeat(64 * 1024 - 14) } },
    '`voice` must be an object of at most 64 KiB of JSON',
  ],
];
for (const [given, words] of REFUSED) {
  test(`refused at once: ${words}`, () => {
    assert.throws(
      () => createSidecar(given),
      (error) => {
        assert.ok(error instanceof TypeError);
        assert.ok(error.message.startsWith('createSidecar: '), error.message);
        assert.ok(error.message.includes(words), error.message);
        assert.ok(!error.message.includes(SECRET));
        return true;
      },
    );
  });
}

const MAX_MS = 2 ** 31 - 1;
const TOO_LONG = 'x'.repeat(64 * 1024 - '{"language":""}'.length + 1);
for (const [what, options] of Object.entries({
  'the longest delays that a timer knows': { startTimeoutMs: MAX_MS, requestTimeoutMs: MAX_MS },
  'the shortest ones': { startTimeoutMs: 1, restart: { max: 0, delaysMs: [0] } },
  'settings of the voice of 64 KiB': { voice: { language: TOO_LONG.slice(1) } },
})) {
  test(`taken: ${what}`, () => {
    const given = { connect: CONNECT, ...options };
    assert.deepEqual(checkedOptions(given).voice, options.voice);
  });
}

test('later changes of the object that was given change nothing', () => {
  const given = { connect: { ...CONNECT } };
  const checked = checkedOptions(given);
  given.connect.room = 'another';
  assert.equal(checked.connect.room, CONNECT.room);
});

test('the logger is console, and both timeouts 30 s, unless given', () => {
  const { logger, startTimeoutMs, requestTimeoutMs } = checkedOptions({ connect: CONNECT });
  assert.deepEqual([logger, startTimeoutMs, requestTimeoutMs], [console, 30_000, 30_000]);
});

test('each of the three figures of a restart can be given alone', () => {
  const { restart } = checkedOptions({ connect: CONNECT, restart: { max: 5 } });
  assert.deepEqual(restart, { max: 5, windowMs: 300_000, delaysMs: [500, 1000, 2000] });
});

test("Electron's objects are looked for only where `electron` is not given", () => {
  const app = new ScriptedApp();
  const found = (electron) =>
    checkedOptions({ connect: CONNECT, electron }, () => ({ app })).electron;
  assert.equal(found(undefined).app, app);
  assert.equal(found(false), undefined);
  const other = { app: new ScriptedApp() };
  assert.equal(found(other), other);
});

const REQUESTS = [
  [['shutdown'], 'request: "shutdown" is the bridge\'s own. Call stop() instead.'],
  [['initialize'], 'request: "initialize" is the bridge\'s own. Call start() instead.'],
  [[''], 'request: the method must be a name, got an empty string.'],
  [['ping', 'x'], 'request: the params must be an object, got a string.'],
  [['ping', ['x']], 'request: the params must be an object, got an array.'],
  [
    ['ping', {}, { timeoutMs: 1.5 }],
    'request: `timeoutMs` must be a whole number from 1 to 2147483647, got 1.5.',
  ],
  [['ping', {}, { signal: true }], 'request: `signal` must be an AbortSignal, got true.'],
];
for (const [args, message] of REQUESTS) {
  test(`a request is refused: ${message}`, async () => {
    const sidecar = createSidecar({ connect: CONNECT });
    await assert.rejects(sidecar.request(...args), new TypeError(message));
  });
}

test('an event that does not exist is refused, `error` among them', () => {
  const sidecar = createSidecar({ connect: CONNECT });
  for (const name of ['error', 'session-craeted']) {
    assert.throws(() => sidecar.on(name, () => {}), {
      name: 'TypeError',
      message:
        `There is no event "${name}". The events are session-created, session-updated, ` +
        'session-closed, agent-state-changed, session-event, health, process-state, status-changed, log, exit.',
    });
  }
});
