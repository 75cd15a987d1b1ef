'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { SidecarError, createSidecar } = require('../../electron-bridge/index.cjs');
const { VERSION } = require('../../electron-bridge/lib/protocol.cjs');
const { newFolder } = require('./fixtures/folders.cjs');
const { ScriptedApp } = require('./fixtures/scripted-app.cjs');
const { IS_WINDOWS, makeProgram } = require('./fixtures/programs.cjs');
const {
  CONNECT,
  SCRIPTED_SIDECAR,
  assertForced,
  next,
  scripted,
  statesOf,
} = require('./fixtures/scripted.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });

/** What a start that fails must look like from every side. */
async function failsToStart(sidecar, code) {
  const states = statesOf(sidecar);
  const told = next(sidecar, 'process-state', ({ state }) => state === 'failed');
  const error = await sidecar.start().then(assert.fail, (reason) => reason);
  assert.ok(error instanceof SidecarError, error.stack);
  assert.equal(error.code, code, error.stack);
  assert.equal((await told).error.code, code);
  assert.equal(sidecar.processState, 'failed');
  assert.equal(states[states.length - 1], 'failed');
  await assert.rejects(sidecar.request('ping'), { code: 'NOT_READY' });
  return error;
}

test('what only a start needs is loaded at the first start', BOUND, () => {
  const program = `
    const { createSidecar } = require('./index.cjs');
    const parts = () => Object.keys(require.cache).map((file) => file.split(/[/\\\\]/).pop());
    const sidecar = createSidecar({ connect: ${JSON.stringify(CONNECT)}, command: '/none' });
    const before = parts();
    const told = () => console.log(JSON.stringify([before, parts()]));
    sidecar.start().then(told, told);`;
  const cwd = path.join(__dirname, '../../electron-bridge');
  const said = execFileSync(process.execPath, ['-e', program], { cwd, encoding: 'utf8' });
  const [before, after] = JSON.parse(said.trim().split('\n').pop());
  const ofAStart = ['launch.cjs', 'sidecar-process.cjs', 'client.cjs'];
  assert.deepEqual(
    ofAStart.filter((name) => before.includes(name)),
    [],
  );
  assert.deepEqual(
    ofAStart.filter((name) => after.includes(name)),
    ofAStart,
  );
});

test('a start is done when the sidecar has answered, and the states say so', BOUND, async (t) => {
  const sidecar = scripted(t);
  const states = statesOf(sidecar);
  assert.equal(sidecar.processState, 'idle');
  const starting = sidecar.start();
  assert.equal(sidecar.processState, 'starting');
  await starting;
  assert.equal(sidecar.processState, 'ready');
  assert.deepEqual(states, ['starting', 'ready']);
  assert.equal(await sidecar.request('ping'), 'pong');
  const { sessions, seq } = await sidecar.listSessions();
  assert.deepEqual({ sessions, seq }, { sessions: [], seq: 1 });
});

test('a second start joins the first, and on a ready sidecar does nothing', BOUND, async (t) => {
  const sidecar = scripted(t);
  const states = statesOf(sidecar);
  await Promise.all([sidecar.start(), sidecar.start()]);
  await sidecar.start();
  assert.deepEqual(states, ['starting', 'ready']);
});

test(
  'requests made while it starts are answered, in their order and after connect',
  BOUND,
  async (t) => {
    const sidecar = scripted(t);
    const starting = sidecar.start();
    const answers = ['a', 'b'].map((value) => sidecar.request('echo', { value }));
    // The scripted sidecar counts one notification, which answers connect.
    const listed = sidecar.listSessions();
    assert.deepEqual(await Promise.all(answers), [{ value: 'a' }, { value: 'b' }]);
    assert.equal((await listed).seq, 1);
    await starting;
  },
);

test(
  'the sidecar is told to wait for connect and to log JSON, and sees no LIVEKIT_*',
  BOUND,
  async (t) => {
    const cwd = newFolder();
    const env = { ...process.env, LIVEKIT_API_SECRET: 'x', NODE_OPTIONS: '', KEPT: 'yes' };
    const sidecar = scripted(t, {}, { cwd, env });
    await sidecar.start();
    const seen = await sidecar.request('surroundings');
    assert.deepEqual(seen.argv, ['--wait', '--log-format', 'json']);
    assert.equal(fs.realpathSync(seen.cwd), fs.realpathSync(cwd));
    assert.deepEqual(
      [seen.env.KEPT, seen.env.LIVEKIT_API_SECRET, seen.env.NODE_OPTIONS],
      ['yes', undefined, undefined],
    );
  },
);

test(
  'connect gets what the app gave, and an identity that the installation keeps',
  BOUND,
  async (t) => {
    const app = new ScriptedApp({ userData: newFolder() });
    const connect = { url: CONNECT.url, room: 'r', apiKey: 'k', apiSecret: 's', name: 'Clara' };
    const identityOf = async (options) => {
      const sidecar = scripted(t, {}, options);
      await sidecar.start();
      const params = await sidecar.request('last-connect');
      await sidecar.stop();
      assert.deepEqual(
        { ...params, identity: undefined },
        { ...options.connect, identity: undefined },
      );
      return params.identity;
    };
    const kept = await identityOf({ connect, electron: { app } });
    assert.match(kept, /^clara-voice-agent-[0-9a-f]{8}$/);
    assert.equal(await identityOf({ connect, electron: { app } }), kept);
    assert.equal(await identityOf({ connect }), 'clara-voice-agent');
    assert.equal(await identityOf({ connect: { ...connect, identity: 'mine' } }), 'mine');
    assert.equal(await identityOf({ connect: CONNECT }), undefined, 'a token names it');
  },
);

test('a room that cannot be joined does not fail the start', BOUND, async (t) => {
  const sidecar = scripted(t, {}, { connect: { ...CONNECT, room: 'unreachable' } });
  const told = next(sidecar, 'agent-state-changed');
  const logged = [];
  sidecar.on('log', ({ message }) => logged.push(message));
  await sidecar.start();
  assert.equal((await told).state, 'backoff');
  assert.equal(sidecar.agentState, 'backoff');
  assert.equal(sidecar.processState, 'ready');
  await sidecar.request('ping');
  assert.deepEqual(logged, [], 'the sidecar itself logs why');
});

test('a connect that is refused for its parameters is logged with the fix', BOUND, async (t) => {
  const sidecar = scripted(t, {}, { connect: { ...CONNECT, room: 'refused' } });
  const told = next(sidecar, 'log', ({ logger }) => logger === 'clara-voice-bridge');
  await sidecar.start();
  const { level, message } = await told;
  assert.equal(level, 'error');
  assert.equal(
    message,
    'The sidecar refused to connect: In another room already. Disconnect first.',
  );
});

test("a connect that the app's own disconnect ended is not logged", BOUND, async (t) => {
  const sidecar = scripted(t, {}, { connect: { ...CONNECT, room: 'left' } });
  const logged = [];
  sidecar.on('log', ({ message }) => logged.push(message));
  await sidecar.start();
  await sidecar.request('ping');
  assert.deepEqual(logged, []);
});

test('SIDECAR_MISSING: the command does not exist', BOUND, async (t) => {
  const command = path.join(newFolder(), 'nothing');
  const { message } = await failsToStart(
    createSidecar({ connect: CONNECT, command }),
    'SIDECAR_MISSING',
  );
  assert.ok(message.includes(command));
  assert.match(message, /Windows: with \.exe/); // a file without it is none that Windows starts
});

test('SIDECAR_MISSING: the command is not on PATH', BOUND, async () => {
  const command = 'no-such-program';
  const { message, cause } = await failsToStart(
    createSidecar({ connect: CONNECT, command }),
    'SIDECAR_MISSING',
  );
  assert.ok(message.includes(command));
  assert.equal(cause.code, 'ENOENT');
});

test("REMOVED: a packaged app's program vanished from its folder", BOUND, async (t) => {
  const root = newFolder();
  fs.mkdirSync(path.join(root, 'sidecar'));
  const app = new ScriptedApp({ userData: root, isPackaged: true });
  process.resourcesPath = root; // Electron's own; this process has none
  t.after(() => delete process.resourcesPath);
  await failsToStart(createSidecar({ connect: CONNECT, electron: { app } }), 'REMOVED');
});

test('BLOCKED: the program may not be executed', BOUND, async (t) => {
  const command = path.join(newFolder(), 'program');
  fs.writeFileSync(command, '#!/bin/sh\n', { mode: 0o644 });
  const { message, cause } = await failsToStart(
    createSidecar({ connect: CONNECT, command }),
    'BLOCKED',
  );
  assert.ok(message.includes(command));
  assert.equal(cause.code, 'EACCES');
});

test("WRONG_ARCH: the program is another system's", BOUND, async (t) => {
  const command = path.join(newFolder(), 'program.exe');
  fs.writeFileSync(command, 'MZ', { mode: 0o755 });
  await failsToStart(createSidecar({ connect: CONNECT, command }), 'WRONG_ARCH');
});

test('BAD_CWD: the folder to start in does not exist', BOUND, async (t) => {
  const cwd = path.join(newFolder(), 'nothing');
  const { message } = await failsToStart(scripted(t, {}, { cwd }), 'BAD_CWD');
  assert.ok(message.includes(cwd));
});

test('START_TIMEOUT: it does not answer, and is ended at once', BOUND, async (t) => {
  const sidecar = scripted(t, { initialize: 'never' }, { startTimeoutMs: 1 });
  const ended = next(sidecar, 'exit');
  await failsToStart(sidecar, 'START_TIMEOUT');
  assertForced(await ended, 'SIGKILL');
});

test('VERSION_MISMATCH: another protocol is named beside ours', BOUND, async (t) => {
  const sidecar = scripted(t, { initialize: { protocolVersion: 7, version: '3.2.1' } });
  const { message } = await failsToStart(sidecar, 'VERSION_MISMATCH');
  for (const word of [`${VERSION} with protocol 1`, '3.2.1 with protocol 7']) {
    assert.ok(message.includes(word), message);
  }
});

test('VERSION_MISMATCH: the sidecar refuses us', BOUND, async (t) => {
  const { message, cause } = await failsToStart(
    scripted(t, { initialize: 'refuse' }),
    'VERSION_MISMATCH',
  );
  assert.ok(message.includes('It speaks 1, not 2.'), message);
  assert.equal(cause.code, -32602);
});

test(
  'VERSION_MISMATCH: a packaged app ships another release; in development it may',
  BOUND,
  async (t) => {
    const script = { initialize: { version: '0.0.9' } };
    await scripted(t, script).start();

    const root = newFolder();
    fs.mkdirSync(path.join(root, 'sidecar'));
    const told = JSON.stringify(JSON.stringify(script));
    makeProgram(
      path.join(root, 'sidecar', IS_WINDOWS ? 'sidecar.exe' : 'sidecar'),
      `process.argv.splice(2, 0, ${told}); require(${JSON.stringify(SCRIPTED_SIDECAR)});`,
    );
    const app = new ScriptedApp({ userData: path.join(root, 'userData'), isPackaged: true });
    process.resourcesPath = root;
    t.after(() => delete process.resourcesPath);
    const sidecar = createSidecar({ connect: CONNECT, electron: { app } });
    const { message } = await failsToStart(sidecar, 'VERSION_MISMATCH');
    for (const word of [`version ${VERSION}`, 'version 0.0.9'])
      assert.ok(message.includes(word), message);
  },
);

test('EXITED: it ends before it is ready; its status and last words are told', BOUND, async (t) => {
  const firstWords = 'Traceback (most recent call last):\nModuleNotFoundError: No module named x';
  const sidecar = scripted(t, { exitAtOnce: 3, firstWords });
  const ended = next(sidecar, 'exit');
  const error = await failsToStart(sidecar, 'EXITED');
  assert.deepEqual([error.exitCode, error.signal], [3, null]);
  assert.deepEqual(error.stderrTail, firstWords.split('\n'));
  assert.ok(error.message.includes('status 3') && !error.message.includes('No module named x'));
  const { code, signal, stderrTail, willRestart } = await ended;
  assert.deepEqual([code, signal, stderrTail, willRestart], [3, null, error.stderrTail, false]);
});

test('EXITED: a Python without the sidecar is named, with what to do', BOUND, async (t) => {
  const firstWords = '/usr/bin/python3: No module named sidecar';
  const error = await failsToStart(scripted(t, { exitAtOnce: 1, firstWords }), 'EXITED');
  assert.equal(
    error.message,
    'The sidecar ended with status 1. This Python lacks the sidecar. Run `uv sync`, or set ' +
      'another SIDECAR_PYTHON.',
  );
});

test('EXITED: status 0 is no excuse', BOUND, async (t) => {
  const error = await failsToStart(scripted(t, { exitAtOnce: 0 }), 'EXITED');
  assert.equal(error.exitCode, 0);
});

test('300 KB on stderr before the first answer do not hold it up', BOUND, async (t) => {
  const sidecar = scripted(t, { firstWords: `${'x'.repeat(99)}\n`, firstWordsTimes: 3000 });
  let lines = 0;
  sidecar.on('log', () => {
    lines += 1;
  });
  await sidecar.start();
  await sidecar.stop();
  assert.equal(lines, 3000);
});

test('from failed it can be started again', BOUND, async (t) => {
  const cwd = path.join(newFolder(), 'later');
  const sidecar = scripted(t, {}, { cwd });
  await failsToStart(sidecar, 'BAD_CWD');
  await failsToStart(sidecar, 'BAD_CWD');
  fs.mkdirSync(cwd);
  await sidecar.start();
  assert.equal(await sidecar.request('ping'), 'pong');
});

test('the last words told are those of this run, not of the one before', BOUND, async (t) => {
  const sidecar = scripted(t, { exitAtOnce: 3, firstWords: 'words' });
  for (const attempt of ['first', 'second']) {
    const { stderrTail } = await failsToStart(sidecar, 'EXITED');
    assert.deepEqual(stderrTail, ['words'], attempt);
  }
});
