'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { RpcError, SidecarError } = require('../../electron-bridge/index.cjs');
const { CALL, servePages } = require('../../electron-bridge/lib/pages/ipc.cjs');
const { PAGE, ScriptedIpcMain } = require('./fixtures/scripted-electron.cjs');
const { ScriptedVoice } = require('./fixtures/scripted-voice.cjs');
const { FOREIGN, app, failure, heard, served, settled } = require('./fixtures/served.cjs');

for (const era of ['new', 'old']) {
  test(`a page of the app may call, another frame and another page may not (${era} Electron)`, async () => {
    const { contents, clara, voice } = served({ era });
    voice.create('alice');
    const list = await clara.listSessions();
    assert.deepEqual([list.sessions.length, list.seq], [1, 1]);

    const iframe = { parent: contents.mainFrame, url: contents.getURL(), frameId: 2 };
    const framed = contents.preload(iframe).clara;
    const events = heard(framed);
    voice.answers = { createConnection: () => ({}), closeSession: () => ({}) };
    for (const call of [
      framed.listSessions(),
      framed.getStatus(),
      framed.createConnection(),
      framed.closeSession('session_1_alice'),
    ]) {
      assert.equal((await failure(call)).code, 'DENIED');
    }
    voice.create('bob');
    await settled();
    assert.deepEqual(events, []);
    assert.deepEqual(voice.asked, []);

    contents.navigate(FOREIGN);
    const { code, message, data } = await failure(contents.preload().clara.listSessions());
    assert.equal(code, 'DENIED');
    assert.equal(
      message,
      "window.clara is for the main frame of a page of the app's own files alone.",
    );
    assert.match(data.fix, /allowedOrigins/);
  });
}

test('a call whose frame has gone meanwhile is denied', async () => {
  const { contents } = served();
  const { clara } = contents.preload(null);
  assert.equal((await failure(clara.listSessions())).code, 'DENIED');
});

test('the pages of allowedOrigins may call, and the files of the app then not', async () => {
  const allowedOrigins = ['app://main'];
  const { contents, clara } = served({ allowedOrigins, url: 'app://main/index.html' });
  assert.equal((await clara.listSessions()).seq, 0);
  contents.navigate(PAGE);
  const { message } = await failure(contents.preload().clara.listSessions());
  assert.match(message, /a page of app:\/\/main alone/);
});

test('failures arrive as plain objects with all their members', async () => {
  const { voice, clara } = served();
  const failures = [
    [
      () => {
        throw new RpcError(1003, 'Unknown session.', { fix: 'Ask again.' });
      },
      { name: 'RpcError', code: 1003, message: 'Unknown session.', data: { fix: 'Ask again.' } },
    ],
    [
      () => {
        throw new SidecarError('NOT_READY', 'It does not run.', { stderrTail: ['a secret'] });
      },
      { name: 'SidecarError', code: 'NOT_READY', message: 'It does not run.' },
    ],
    [
      () => {
        throw new TypeError('getToken: no');
      },
      { name: 'ClaraError', code: 'UNEXPECTED', message: 'getToken: no' },
    ],
  ];
  for (const [closeSession, expected] of failures) {
    voice.answers = { closeSession };
    const error = await failure(clara.closeSession('session_1_x'));
    assert.deepEqual(JSON.parse(JSON.stringify(error)), expected);
    assert.ok(Object.isFrozen(error) && Object.isFrozen(error.data));
  }
});

test('what a page passes goes to the sidecar, which alone decides what it takes', async () => {
  const { voice, clara } = served();
  const refuse = () => {
    throw new RpcError(-32602, 'Invalid params: params.identity must be a string.', { fix: 'F.' });
  };
  voice.answers = { createConnection: refuse, closeSession: refuse };
  const asked = [
    ['createConnection', { identity: 7, name: null, roomAdmin: true }],
    ['closeSession', ['x']],
  ];
  for (const [name, argument] of asked) {
    assert.deepEqual(JSON.parse(JSON.stringify(await failure(clara[name](argument)))), {
      name: 'ClaraError',
      code: 'INVALID_ARGUMENT',
      message: 'Invalid params: params.identity must be a string.',
      data: { fix: 'F.' },
    });
  }
  assert.deepEqual(voice.asked, asked);
  voice.answers = { createConnection: () => ({ token: 't' }) };
  assert.deepEqual({ ...(await clara.createConnection()) }, { token: 't' });
  assert.deepEqual(voice.asked[2], ['createConnection', {}]);
});

test('options that are no object are refused before a rule of the app sees them', async () => {
  const { voice, clara } = served({ rules: { createConnection: assert.fail } });
  for (const name of ['createConnection', 'getConversation', 'listClosedSessions', 'sendText']) {
    for (const options of [['identity'], 'identity', null, 7]) {
      const { code, message } = await failure(clara[name](options));
      assert.equal(code, 'INVALID_ARGUMENT');
      assert.equal(message, `${name}: the options must be an object.`);
    }
  }
  assert.deepEqual(voice.asked, []);
});

test('there is no call and no topic but those of window.clara', async () => {
  const { contents, voice, clara } = served();
  for (const asked of [
    ['request', 'shutdown'],
    ['constructor', {}],
    ['__proto__', {}],
    ['subscribe', 'constructor'],
    ['subscribe', 'log'],
  ]) {
    const { ok, error } = await contents.invoke(contents.mainFrame, CALL, asked);
    assert.deepEqual([ok, error.code], [false, 'UNEXPECTED']);
  }
  assert.deepEqual(voice.asked, []);
  assert.equal((await clara.listSessions()).seq, 0);
});

test('the status is there with and without a sidecar', async () => {
  const { voice, clara } = served();
  const status = async () => JSON.parse(JSON.stringify(await clara.getStatus()));
  const idle = { state: 'idle', processState: 'idle', sessions: 0, seq: 0 };
  assert.deepEqual(await status(), idle);

  voice.process('starting');
  assert.deepEqual(await status(), { ...idle, processState: 'starting' });

  voice.process('ready');
  voice.agent('connected');
  voice.answers = { getStatus: () => ({ room: 'r', uptimeSeconds: 7, seq: 99, epoch: 'e1' }) };
  voice.create('alice');
  const { room, uptimeSeconds, seq, epoch, state, sessions } = await status();
  assert.deepEqual(
    [room, uptimeSeconds, seq, epoch, state, sessions],
    ['r', 7, 2, undefined, 'connected', 1],
  );

  voice.answers = {
    getStatus() {
      voice.process('failed', new SidecarError('EXITED', 'It ended.'));
      throw new SidecarError('EXITED', 'It ended.');
    },
  };
  const failed = await status();
  assert.deepEqual(failed.processError, { code: 'EXITED', message: 'It ended.' });
  assert.deepEqual([failed.state, failed.processState, failed.room], ['idle', 'failed', undefined]);
});

test('a page hears how voice is doing: now, then every change', async () => {
  const { voice, clara } = served();
  const told = [];
  clara.onAgentState(({ state, processState, error, processError }) =>
    told.push([state, processState, error && error.category, processError && processError.code]),
  );
  await settled();
  voice.process('starting');
  voice.process('ready');
  voice.agent('connecting');
  voice.agent('backoff', { error: { category: 'unreachable' } });
  voice.agent('connecting');
  voice.agent('connected');
  voice.process('failed', new SidecarError('EXITED', 'It ended.'));
  await settled();
  assert.deepEqual(told, [
    ['idle', 'idle', undefined, undefined],
    ['idle', 'starting', undefined, undefined],
    ['idle', 'ready', undefined, undefined],
    ['connecting', 'ready', undefined, undefined],
    ['backoff', 'ready', 'unreachable', undefined],
    ['connecting', 'ready', 'unreachable', undefined],
    ['connected', 'ready', undefined, undefined],
    ['idle', 'failed', undefined, 'EXITED'],
  ]);
});

test("a page's `online` is passed on, and answered at once", async () => {
  const { window, voice } = served();
  voice.process('ready');
  voice.answers = { wake: () => null };
  window.dispatchEvent(new Event('online'));
  await settled();
  assert.deepEqual(voice.asked, [['wake', 'network-online']]);
});

test('a second sidecar on the same ipcMain is refused, and the first goes on', async () => {
  const { serve, clara, ipcMain } = served();
  assert.throws(serve, /another sidecar of this app serves window.clara already/);
  assert.equal((await clara.listSessions()).seq, 0);
  assert.equal(ipcMain.handlers.size, 1);
});

test('a channel that the app itself took is left to it, and none of ours stays behind', () => {
  const ipcMain = new ScriptedIpcMain();
  const own = () => {};
  ipcMain.handle(CALL, own);
  const voice = new ScriptedVoice();
  assert.throws(() => servePages({ electron: { ipcMain, app } }, voice, voice));
  assert.deepEqual([...ipcMain.handlers], [[CALL, own]]);
  assert.deepEqual(voice.eventNames(), []);
});

test(
  'after dispose() nothing of ours is left, and pages go on with the next sidecar',
  { timeout: 20_000 },
  async () => {
    const { ipcMain, voice, end, serve, clara } = served();
    const first = heard(clara);
    voice.create('alice');
    await settled();
    end();
    assert.deepEqual([ipcMain.handlers.size, ipcMain.eventNames()], [0, []]);
    assert.deepEqual(voice.eventNames(), []);
    assert.equal((await failure(clara.listSessions())).code, 'NO_SIDECAR');

    await settled();
    serve();
    const seen = await new Promise((resolve) => {
      clara.onSessions((event) => event.type === 'snapshot' && resolve(event));
    });
    assert.equal(seen.sessions.length, 1);
    while (first.length < 3) await settled();
    assert.deepEqual(
      first.map(([type]) => type),
      ['snapshot', 'created', 'snapshot'],
    );
  },
);

test('a page may not ask for what the rules of the app deny', async () => {
  const rules = { createConnection: false, closeSession: false, sendText: false };
  const { voice, clara } = served({ rules });
  const sessionId = 'session_1_a';
  for (const call of [
    clara.createConnection(),
    clara.closeSession(sessionId),
    clara.sendText({ sessionId, text: 'hello' }),
  ]) {
    const { code, data } = await failure(call);
    assert.equal(code, 'DENIED');
    assert.match(data.fix, /`pages`/);
  }
  assert.deepEqual(voice.asked, []);
});

test('only the app lets a page take an identity over from a participant in the room', async () => {
  const createConnection = (request) => ({ ...request, replace: true });
  for (const rules of [{}, { createConnection }]) {
    const { voice, clara } = served({ rules });
    voice.answers.createConnection = () => ({ token: 't' });
    const { code, data } = await failure(clara.createConnection({ replace: true }));
    assert.equal(code, 'DENIED');
    assert.match(data.fix, /rule/);
    assert.deepEqual(voice.asked, []);
    await clara.createConnection({ identity: 'alice' });
    const asked = { identity: 'alice', ...(rules.createConnection && { replace: true }) };
    assert.deepEqual(voice.asked, [['createConnection', asked]]);
  }
});

test('the app can fix what a page asks for', async () => {
  const createConnection = async (request) => ({ ...request, identity: 'user-7' });
  const { voice, clara } = served({ rules: { createConnection } });
  voice.answers.createConnection = () => ({ token: 't' });
  await clara.createConnection({ identity: 'alice', canPublish: false });
  assert.deepEqual(voice.asked, [['createConnection', { identity: 'user-7', canPublish: false }]]);
});

test('a page that is refused is one line in the log', async () => {
  const lines = [];
  const { clara } = served({ url: FOREIGN, warn: (line) => lines.push(line) });
  await failure(clara.listSessions());
  await failure(clara.getStatus());
  assert.equal(lines.length, 1);
  assert.match(lines[0], /https:\/\/example\.org\/.*allowedOrigins/);
});

test('pages that try one address after the other are a hundred lines in the log, no more', async () => {
  const lines = [];
  const { contents } = served({ warn: (line) => lines.push(line) });
  for (let page = 1; page <= 105; page += 1) {
    contents.navigate(`${FOREIGN}${page}`);
    const { ok } = await contents.invoke(contents.mainFrame, CALL, ['listSessions']);
    assert.equal(ok, false);
  }
  assert.equal(lines.length, 100);
});
