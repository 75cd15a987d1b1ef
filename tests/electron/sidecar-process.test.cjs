'use strict';

const assert = require('node:assert/strict');
const childProcess = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');

const { sidecarProcess } = require('../../electron-bridge/lib/process/sidecar-process.cjs');
const { Deadlines } = require('../../electron-bridge/lib/time.cjs');
const { liveness } = require('./fixtures/liveness.cjs');
const { ScriptedDeadlines } = require('./fixtures/scripted-deadlines.cjs');
const { SCRIPTED_SIDECAR, byForce } = require('./fixtures/scripted.cjs');

/** No test waits for one of these unless it gives it a shorter one. */
const PATIENT = Object.freeze({
  drainMs: 600_000,
  terminateMs: 600_000,
  killMs: 600_000,
  pipesMs: 600_000,
});
const BOUND = Object.freeze({ timeout: 20_000 });

/** A scripted child; killed at the end of the test. `run` is sidecarProcess() of another system. */
function spawned(t, script, patience = PATIENT, others = {}) {
  const { deadlines = new Deadlines(), run = sidecarProcess } = others;
  const seen = { lines: [], logLines: [], problems: [], ends: [] };
  let tell = () => {};
  const until = (isTrue) =>
    new Promise((resolve) => {
      const before = tell;
      tell = () => {
        before();
        if (isTrue()) resolve();
      };
      tell();
    });
  const keep = (list) => (item) => {
    list.push(item);
    tell();
  };
  const launch = {
    command: process.execPath,
    args: [SCRIPTED_SIDECAR, JSON.stringify(script)],
    cwd: process.cwd(),
    env: process.env,
    packaged: false,
  };
  const handlers = {
    onLine: keep(seen.lines),
    onLogLine: keep(seen.logLines),
    onProblem: keep(seen.problems),
    onEnded: keep(seen.ends),
  };
  const child = run({ ...launch, ...script.launch }, deadlines, handlers, patience);
  t.after(async () => {
    child.kill();
    await until(() => seen.ends.length > 0);
  }, BOUND);
  const ask = (method, params) =>
    child.write(Buffer.from(`${JSON.stringify({ id: 1, method, params })}\n`), () => {});
  const ended = async () => {
    await until(() => seen.ends.length > 0);
    return seen.ends[0];
  };
  const answered = () => until(() => seen.lines.length > 0);
  /** The child's pid, which it tells itself. */
  const pidOf = async () => {
    ask('surroundings');
    await answered();
    return JSON.parse(seen.lines.shift()).result.pid;
  };
  return { child, ask, answered, ended, pidOf, seen };
}

/** sidecarProcess() as Windows loads it, with a taskkill that the test plays. */
function onWindows(t) {
  const file = require.resolve('../../electron-bridge/lib/process/sidecar-process.cjs');
  const ours = require.cache[file];
  const { platform } = process;
  delete require.cache[file];
  Object.defineProperty(process, 'platform', { value: 'win32' });
  const { sidecarProcess: run } = require(file);
  Object.defineProperty(process, 'platform', { value: platform });
  require.cache[file] = ours;
  const spawn = t.mock.method(childProcess, 'spawn').mock;
  const taskkill = t.mock.method(childProcess, 'execFile', () => {}).mock;
  const signals = t.mock.method(process, 'kill').mock;
  return { run, spawn, taskkill, signals };
}

/** What taskkill is told, to end this process with all below it. */
function isTaskkillOf(pid, [program, args, options]) {
  assert.match(program, /\\System32\\taskkill\.exe$/);
  assert.deepEqual(args, ['/pid', String(pid), '/T', '/F']);
  assert.equal(options.windowsHide, true);
}

/** Waits until this process has taken note of a child's exit: its pid is then nobody's. */
async function reaped(pid) {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      return;
    }
    await new Promise(setImmediate);
  }
}

const end = (facts) => ({ code: null, signal: null, spawnError: null, ...facts });

test('a child that ends at the end of its stdin is sent no signal', BOUND, async (t) => {
  const { child, ended } = spawned(t, {});
  child.end();
  assert.deepEqual(await ended(), end({ code: 0 }));
});

test('a child that ignores the end of its stdin gets SIGTERM', BOUND, async (t) => {
  const { child, ask, answered, ended } = spawned(
    t,
    { stubborn: ['end'] },
    { ...PATIENT, drainMs: 1 },
  );
  ask('ping');
  await answered();
  child.end();
  assert.deepEqual(await ended(), end(byForce('SIGTERM')));
});

test('a child that ignores SIGTERM as well gets SIGKILL', BOUND, async (t) => {
  const { child, ask, answered, ended } = spawned(
    t,
    { stubborn: ['end', 'SIGTERM'] },
    { ...PATIENT, drainMs: 1, terminateMs: 1 },
  );
  ask('ping');
  await answered();
  child.end();
  assert.deepEqual(await ended(), end(byForce('SIGKILL')));
});

test('kill() does not wait for the ladder', BOUND, async (t) => {
  const { child, ask, answered, ended } = spawned(t, { stubborn: ['end', 'SIGTERM'] });
  ask('ping');
  await answered();
  child.end();
  child.kill();
  child.kill();
  assert.deepEqual(await ended(), end(byForce('SIGKILL')));
});

test(
  'the whole group goes, with a process that the child left in it and that ignores SIGTERM',
  BOUND,
  async (t) => {
    const { port, arrived, gone } = await liveness(t);
    const { child, ended } = spawned(t, { liveness: port, heir: 'in-group' });
    await arrived(2);
    child.end();
    assert.deepEqual(await ended(), end({ code: 0 }));
    await gone(2);
  },
);

test('a child that dies takes its group along', BOUND, async (t) => {
  const { port, arrived, gone } = await liveness(t);
  const { ask, ended } = spawned(t, { liveness: port, heir: 'in-group' });
  await arrived(2);
  ask('exit', { status: 3 });
  assert.deepEqual(await ended(), end({ code: 3 }));
  await gone(2);
});

test(
  'a process that left the group and holds the pipes delays the report by pipesMs, no more',
  BOUND,
  async (t) => {
    const { port, arrived, gone } = await liveness(t);
    const { child, ended } = spawned(
      t,
      { liveness: port, heir: 'own-group' },
      { ...PATIENT, pipesMs: 1 },
    );
    await arrived(2);
    child.end();
    assert.deepEqual(await ended(), end({ code: 0 }));
    await gone(1);
  },
);

test('all that was written before the end arrives before its report', BOUND, async (t) => {
  const { ask, ended, seen } = spawned(t, {});
  const count = 20_000;
  ask('write', { stdout: 'line\n'.repeat(count), stderr: 'log\n'.repeat(count) });
  ask('exit', { status: 3, lastWords: 'no newline' });
  await ended();
  assert.equal(seen.lines.filter((line) => line === 'line').length, count);
  assert.equal(seen.logLines.filter((line) => line === 'log').length, count);
  assert.equal(seen.logLines[count], 'no newline');
});

test('the report waits for whoever still holds the pipes, within pipesMs', BOUND, async (t) => {
  const { port, arrived, say } = await liveness(t);
  const { child, ended, pidOf, seen } = spawned(t, { liveness: port, heir: 'own-group' });
  await arrived(2);
  const pid = await pidOf();
  child.end();
  await reaped(pid);
  assert.deepEqual(seen.ends, []);
  say('the last line\n');
  assert.deepEqual(await ended(), end({ code: 0 }));
  assert.deepEqual(seen.lines, ['the last line']);
});

test('a write after the end is taken, and done', BOUND, async (t) => {
  const { child, ask, ended } = spawned(t, {});
  ask('exit', { status: 3 });
  await ended();
  await new Promise((resolve) => child.write(Buffer.from('x\n'), resolve));
  child.end();
  child.kill();
});

test(
  'a large write to a child that dies without reading it is done all the same',
  BOUND,
  async (t) => {
    const { child, ask, answered, ended } = spawned(t, { stubborn: ['end'] });
    ask('go-deaf');
    await answered();
    const done = new Promise((resolve) => child.write(Buffer.alloc(5_000_000, 'x'), resolve));
    child.kill();
    await done;
    assert.deepEqual(await ended(), end(byForce('SIGKILL')));
  },
);

test('a child that no longer reads its stdin is ended by the ladder', BOUND, async (t) => {
  const { ask, answered, ended } = spawned(t, {}, { ...PATIENT, drainMs: 1 });
  ask('go-deaf');
  await answered();
  ask('ping');
  assert.deepEqual(await ended(), end(byForce('SIGTERM')));
});

test(
  'a line over the limit is a problem, on stdout as on stderr, and the next one arrives',
  BOUND,
  async (t) => {
    const { ask, ended, seen } = spawned(t, {});
    ask('write', { stderr: `${'x'.repeat(1024 * 1024 + 1)}\nnext\n` });
    ask('exit', { status: 0 });
    await ended();
    assert.deepEqual(seen.problems, ['The sidecar logged a line over 1048576 bytes.']);
    assert.deepEqual(seen.logLines, ['next']);
  },
);

test(
  "a program that cannot be started is one report, with the system's error",
  BOUND,
  async (t) => {
    const { child, ended, seen } = spawned(t, { launch: { command: 'no-such-program' } });
    const { mock } = t.mock.method(process, 'kill');
    for (const call of ['end', 'kill', 'hurry', 'killNow']) child[call]();
    const { spawnError, ...rest } = await ended();
    assert.deepEqual([spawnError.code, mock.callCount()], ['ENOENT', 0]);
    assert.deepEqual(rest, { code: null, signal: null });
    await new Promise((resolve) => child.write(Buffer.from('x\n'), resolve));
    assert.equal(seen.ends.length, 1);
  },
);

test('a spawn that throws is the same report', BOUND, async (t) => {
  const { child, ended } = spawned(t, { launch: { args: ['a\0b'] } });
  for (const call of ['end', 'kill', 'hurry', 'killNow']) child[call]();
  await new Promise((resolve) => child.write(Buffer.from('x\n'), resolve));
  const { spawnError } = await ended();
  assert.equal(spawnError.code, 'ERR_INVALID_ARG_VALUE');
});

test('a process that not even SIGKILL ends is abandoned', BOUND, async (t) => {
  // One stuck in the kernel cannot be made at will: here the signal does not arrive.
  const { child, ended, pidOf, seen } = spawned(t, {}, { ...PATIENT, killMs: 1 });
  const pid = await pidOf();
  t.mock.method(process, 'kill', () => true);
  t.mock.method(childProcess, 'execFile', () => {}); // taskkill, on Windows
  child.kill();
  assert.deepEqual(await ended(), end({}));
  assert.deepEqual(seen.problems, [`The sidecar (pid ${pid}) could not be killed: it is left.`]);
  t.mock.restoreAll();
  process.kill(pid, 'SIGKILL');
});

test('a process that was left takes its group along when it ends after all', BOUND, async (t) => {
  const { port, arrived, gone } = await liveness(t);
  const deadlines = new ScriptedDeadlines();
  const script = { liveness: port, heir: 'in-group' };
  const { child, pidOf, seen } = spawned(t, script, { ...PATIENT, killMs: 100 }, { deadlines });
  await arrived(2);
  const pid = await pidOf();
  t.mock.method(process, 'kill', () => true);
  child.kill();
  await deadlines.pass(100);
  t.mock.restoreAll();
  process.kill(pid, 'SIGKILL');
  await gone(2);
  assert.deepEqual([deadlines.left(), seen.ends.length], [[], 1]);
});

test('a process that was left does not keep the app alive', BOUND, async () => {
  const program = path.join(__dirname, 'fixtures', 'leaving-app.cjs');
  const app = childProcess.spawn(process.execPath, [program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid] = await new Promise((resolve) =>
    app.stdout.once('data', (words) => resolve(String(words).split('\n'))),
  );
  await new Promise((resolve) => app.on('exit', resolve));
  process.kill(Number(pid), 'SIGKILL'); // it was alive, or this would throw
});

test('killNow() takes the group along', BOUND, async (t) => {
  const { port, arrived, gone } = await liveness(t);
  const { child, ended } = spawned(t, { liveness: port, heir: 'in-group' });
  await arrived(2);
  child.killNow();
  assert.deepEqual(await ended(), end(byForce('SIGKILL')));
  await gone(2);
});

test('a failure of its process, or of its output, is told and ends nothing', BOUND, async (t) => {
  const { mock } = t.mock.method(childProcess, 'spawn');
  const { ask, answered, seen } = spawned(t, {});
  const [{ result }] = mock.calls;
  result.emit('error', new Error('kill EPERM'));
  for (const name of ['stdout', 'stderr']) result[name].emit('error', new Error(`${name} EIO`));
  ask('ping');
  await answered();
  assert.deepEqual(seen.problems, [
    "The sidecar's process: kill EPERM",
    "The sidecar's output failed: stdout EIO",
    "The sidecar's output failed: stderr EIO",
  ]);
  assert.deepEqual(seen.ends, []);
});

test('a second kill() gives a process no more time', BOUND, async (t) => {
  const deadlines = new ScriptedDeadlines();
  const { child, ask, answered } = spawned(t, {}, { ...PATIENT, killMs: 100 }, { deadlines });
  ask('ping');
  await answered();
  const signals = t.mock.method(process, 'kill', () => true).mock;
  const taskkill = t.mock.method(childProcess, 'execFile', () => {}).mock;
  child.end();
  child.kill();
  await deadlines.pass(60);
  child.kill();
  assert.deepEqual([deadlines.left(), signals.callCount() + taskkill.callCount()], [[40], 1]);
  t.mock.restoreAll();
  await deadlines.pass(40);
});

test(
  'a group that cannot be signalled leaves its first process to be signalled',
  BOUND,
  async (t) => {
    // So macOS answers for a group of zombies.
    const { child, ask, answered, ended } = spawned(t, {});
    ask('ping');
    await answered();
    t.mock.method(process, 'kill', () => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    });
    child.kill();
    assert.deepEqual(await ended(), end({ signal: 'SIGKILL' }));
  },
);

test(
  'a process that has ended is signalled no more, and its pipes get no more time',
  BOUND,
  async (t) => {
    const { port, arrived, say } = await liveness(t);
    const deadlines = new ScriptedDeadlines();
    const script = { liveness: port, heir: 'own-group' };
    const { child, ask, ended, pidOf } = spawned(t, script, PATIENT, { deadlines });
    await arrived(2);
    const pid = await pidOf();
    ask('exit', { status: 3 });
    await reaped(pid);
    const { mock } = t.mock.method(process, 'kill');
    for (const call of ['end', 'kill', 'hurry', 'killNow']) child[call]();
    assert.deepEqual([deadlines.left(), mock.callCount()], [[PATIENT.pipesMs], 0]);
    say('bye\n');
    assert.deepEqual(await ended(), end({ code: 3 }));
    assert.deepEqual(deadlines.left(), []);
  },
);

test(
  'on Windows taskkill ends the tree below a living process, and that process if it cannot',
  BOUND,
  async (t) => {
    const { run, spawn, taskkill, signals } = onWindows(t);
    const { child, ended, pidOf } = spawned(t, {}, PATIENT, { run });
    const [, , options] = spawn.calls[0].arguments;
    assert.deepEqual([options.windowsHide, options.detached], [true, false]);
    const pid = await pidOf();
    child.kill();
    const [first] = taskkill.calls;
    isTaskkillOf(pid, first.arguments);
    assert.equal(await pidOf(), pid, 'it lives while taskkill looks for what is below it');
    first.arguments[3](new Error('a policy forbids it'));
    assert.deepEqual(await ended(), end({ signal: 'SIGKILL' }));
    assert.deepEqual([taskkill.callCount(), signals.callCount()], [1, 0]);
  },
);

for (const [status, signal] of [
  [0, null],
  [1, 'SIGKILL'],
]) {
  test(
    `on Windows the app's end waits for taskkill, which ends with ${status}`,
    BOUND,
    async (t) => {
      const { run } = onWindows(t);
      const { mock } = t.mock.method(childProcess, 'spawnSync', () => ({ status }));
      const { child, ask, ended, pidOf } = spawned(t, {}, PATIENT, { run });
      const pid = await pidOf();
      child.killNow();
      const { arguments: given } = mock.calls[0];
      isTaskkillOf(pid, given);
      assert.equal(given[2].timeout, PATIENT.killMs);
      ask('exit', { status: 3 }); // a taskkill that does its work leaves nothing to signal
      assert.deepEqual(await ended(), end(signal ? { signal } : { code: 3 }));
      child.killNow();
      assert.equal(mock.callCount(), 1);
    },
  );
}
