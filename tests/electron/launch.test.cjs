'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/lib/errors.cjs');
const { resolveLaunch } = require('../../electron-bridge/lib/process/launch.cjs');
const { newFolder } = require('./fixtures/folders.cjs');

const OURS = ['--wait', '--log-format', 'json'];
const SCRIPT = '#!/bin/sh\n';
const OURS_TOML = '[project]\nname = "clara-voice-sidecar"\n';
const AS_MODULE = ['-P', '-m', 'sidecar'];

/** An empty folder; `put` makes a file in it, folders and all. */
function folder() {
  const root = newFolder();
  const put = (name, content = SCRIPT) => {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
    return file;
  };
  return { root, put };
}

function around(root, over = {}) {
  return {
    env: { PATH: '/bin' },
    resourcesPath: path.join(root, 'resources'),
    repository: path.join(root, 'repository'),
    platform: 'linux',
    arch: 'x64',
    ...over,
  };
}

function packagedApp(root) {
  return { isPackaged: true, getPath: (name) => path.join(root, name) };
}

function code(expected, ...words) {
  return (error) => {
    assert.ok(error instanceof SidecarError);
    assert.equal(error.code, expected);
    for (const word of words) assert.ok(error.message.includes(word), `${word}: ${error.message}`);
    return true;
  };
}

test('a packaged app starts what it ships, in userData, which is made if need be', () => {
  const { root, put } = folder();
  const program = put('resources/sidecar/sidecar');
  const launch = resolveLaunch({ electron: { app: packagedApp(root) } }, around(root));
  assert.deepEqual(launch, {
    command: program,
    args: OURS,
    cwd: path.join(root, 'userData'),
    env: { PATH: '/bin' },
    packaged: true,
  });
  assert.ok(fs.statSync(launch.cwd).isDirectory());
});

test('a packaged app ignores what is for development', () => {
  const { root, put } = folder();
  const program = put('resources/sidecar/sidecar');
  put('repository/pyproject.toml', OURS_TOML);
  put('repository/.venv/bin/python');
  const options = {
    electron: { app: packagedApp(root) },
    command: 'python3',
    args: ['x'],
    cwd: '/',
  };
  const launch = resolveLaunch(options, around(root, { env: { SIDECAR_PYTHON: 'python3' } }));
  assert.equal(launch.command, program);
  assert.deepEqual(launch.args, OURS);
  assert.equal(launch.cwd, path.join(root, 'userData'));
});

test("a packaged app never falls back to a developer's sidecar", () => {
  const { root, put } = folder();
  put('repository/pyproject.toml', OURS_TOML);
  put('repository/.venv/bin/python');
  const options = { electron: { app: packagedApp(root) }, command: 'python3' };
  const place = around(root, { env: { SIDECAR_PYTHON: 'python3' } });
  const missing = path.join(root, 'resources', 'sidecar');
  assert.throws(() => resolveLaunch(options, place), code('SIDECAR_MISSING', missing));
  put('resources/sidecar/_internal/base_library.zip');
  assert.throws(
    () => resolveLaunch(options, place),
    code('REMOVED', path.join(missing, 'sidecar'), 'antivirus'),
  );
});

test("on Windows the program is sidecar.exe, and the venv's python in Scripts", () => {
  const { root, put } = folder();
  const program = put('resources/sidecar/sidecar.exe');
  const windows = around(root, { platform: 'win32' });
  assert.equal(resolveLaunch({ electron: { app: packagedApp(root) } }, windows).command, program);
  put('repository/pyproject.toml', OURS_TOML);
  const python = put('repository/.venv/Scripts/python.exe');
  assert.equal(resolveLaunch({}, windows).command, python);
});

test('in development `command` comes before $SIDECAR_PYTHON, and that before the .venv', () => {
  const { root, put } = folder();
  put('repository/pyproject.toml', OURS_TOML);
  const repository = path.join(root, 'repository');
  const python = put('repository/.venv/bin/python');
  const given = put('given');
  const all = around(root, { env: { SIDECAR_PYTHON: 'python3.12' } });
  const electron = { app: { ...packagedApp(root), isPackaged: false } };

  const byCommand = resolveLaunch({ electron, command: given, args: ['a'] }, all);
  assert.deepEqual([byCommand.command, byCommand.args], [given, ['a', ...OURS]]);
  const byVariable = resolveLaunch({ electron }, all);
  assert.deepEqual(
    [byVariable.command, byVariable.args, byVariable.cwd],
    ['python3.12', [...AS_MODULE, ...OURS], repository],
  );
  const byVenv = resolveLaunch({}, around(root));
  assert.deepEqual(
    [byVenv.command, byVenv.args, byVenv.cwd, byVenv.packaged],
    [python, [...AS_MODULE, ...OURS], repository, false],
  );
});

test('in development with nothing to start the error names what was looked for, and what helps', () => {
  const { root, put } = folder();
  const missing = code(
    'SIDECAR_MISSING',
    '`command`',
    'SIDECAR_PYTHON',
    'clara-voice-sidecar-linux-x64',
  );
  const refused = (words, isThere) => (error) => {
    assert.equal(error.message.includes(words), isThere, error.message);
    return missing(error);
  };
  assert.throws(() => resolveLaunch({}, around(root)), refused('uv sync', false));
  put('repository/pyproject.toml', '[project]\nname = "somebody-elses"\n');
  put('repository/.venv/bin/python');
  assert.throws(() => resolveLaunch({}, around(root)), refused('.venv', false));
  put('repository/pyproject.toml', OURS_TOML);
  fs.rmSync(path.join(root, 'repository/.venv'), { recursive: true });
  assert.throws(() => resolveLaunch({}, around(root)), refused('uv sync', true));
});

test('an installed package of the sidecar is found from the app, before the .venv', () => {
  const { root, put } = folder();
  put('repository/pyproject.toml', OURS_TOML);
  put('repository/.venv/bin/python');
  const name = 'clara-voice-sidecar-linux-x64';
  put(`app/node_modules/${name}/package.json`, '{}');
  const program = put(`app/node_modules/${name}/sidecar/sidecar`);
  const app = { isPackaged: false, getAppPath: () => path.join(root, 'app') };
  const launch = resolveLaunch({ electron: { app } }, around(root));
  assert.deepEqual([launch.command, launch.args], [program, OURS]);
});

test('the level of the log goes to the sidecar, packaged or not', () => {
  const { root, put } = folder();
  put('resources/sidecar/sidecar');
  const asked = [...OURS, '--log-level', 'debug'];
  const electron = { app: packagedApp(root) };
  assert.deepEqual(resolveLaunch({ electron, logLevel: 'debug' }, around(root)).args, asked);
  const command = put('program');
  assert.deepEqual(resolveLaunch({ command, logLevel: 'debug' }, around(root)).args, asked);
});

test('userData below a place where no folder can be made ends the start, and does not hang it', () => {
  const { root, put } = folder();
  put('resources/sidecar/sidecar');
  for (const userData of ['/proc/nowhere/app', path.join(put('a-file'), 'app')]) {
    const app = { isPackaged: true, getPath: () => userData };
    assert.throws(
      () => resolveLaunch({ electron: { app } }, around(root)),
      code('BAD_CWD', userData),
    );
  }
});

test('a folder where the program should be, and a file where the folder should be, are named', () => {
  const { root, put } = folder();
  assert.throws(
    () => resolveLaunch({ command: root }, around(root)),
    code('SIDECAR_MISSING', root),
  );
  const electron = { app: packagedApp(root) };
  put('resources/sidecar/sidecar/file');
  assert.throws(() => resolveLaunch({ electron }, around(root)), code('REMOVED'));
  fs.rmSync(path.join(root, 'resources'), { recursive: true });
  put('resources/sidecar');
  assert.throws(() => resolveLaunch({ electron }, around(root)), code('SIDECAR_MISSING'));
});

test('a folder that may not be entered is named, not the command', (t) => {
  if (process.getuid() === 0) return t.skip('root enters every folder');
  const { root, put } = folder();
  const command = put('program');
  const cwd = path.dirname(put('closed/file'));
  fs.chmodSync(cwd, 0o600);
  t.after(() => fs.chmodSync(cwd, 0o700));
  assert.throws(() => resolveLaunch({ command, cwd }, around(root)), code('BAD_CWD', cwd));
  return undefined;
});

test('a command that does not exist is named as what is missing, not the folder', () => {
  const { root } = folder();
  const command = path.join(root, 'nothing');
  assert.throws(() => resolveLaunch({ command }, around(root)), code('SIDECAR_MISSING', command));
});

test('a folder that does not exist, or is a file, is named, not the command', () => {
  const { root, put } = folder();
  const command = put('program');
  for (const cwd of [path.join(root, 'nothing'), command]) {
    assert.throws(() => resolveLaunch({ command, cwd }, around(root)), code('BAD_CWD', cwd));
  }
});

test("a relative command is taken from the app's folder, also when the sidecar starts in another", () => {
  const { root, put } = folder();
  const command = put('program');
  const launch = resolveLaunch(
    { command: path.relative(process.cwd(), command), cwd: root },
    around(root),
  );
  assert.equal(launch.command, command);
});

/** The first 20 bytes of an ELF file for a machine. */
function elf(machine) {
  const header = Buffer.alloc(64);
  header.write('\u007fELF', 'latin1');
  header.writeUInt16LE(machine, 18);
  return header;
}

test('on Linux a program of another processor, and what is no program, are refused before a shell runs them', () => {
  const { root, put } = folder();
  const refused = [
    put('arm', elf(183)),
    put('exe', 'MZ\u0090'),
    put('text', 'hello'),
    put('none', ''),
  ];
  for (const command of refused) {
    assert.throws(() => resolveLaunch({ command }, around(root)), code('WRONG_ARCH', command));
  }
  const arm = { arch: 'arm64' };
  assert.equal(resolveLaunch({ command: refused[0] }, around(root, arm)).command, refused[0]);
  for (const command of [put('x64', elf(62)), put('ia32', elf(3)), put('script', SCRIPT)]) {
    assert.equal(resolveLaunch({ command }, around(root)).command, command);
  }
  assert.equal(
    resolveLaunch({ command: refused[1] }, around(root, { platform: 'win32' })).packaged,
    false,
  );
});

test('this Node passes for a program of this machine', () => {
  assert.equal(resolveLaunch({ command: process.execPath }).command, process.execPath);
});

const SECRETS = {
  LIVEKIT_URL: 'x',
  LIVEKIT_API_SECRET: 'x',
  _PYI_ARCHIVE_FILE: 'x',
  PYINSTALLER_RESET_ENVIRONMENT: '1',
  ELECTRON_RUN_AS_NODE: '1',
  NODE_OPTIONS: '--inspect',
};

test('the environment is a complete copy without what the sidecar must not see', () => {
  const { root, put } = folder();
  const kept = { PATH: '/bin', HTTPS_PROXY: 'http://proxy', MY_LIVEKIT_URL: 'x', livekit_url: 'x' };
  const source = { ...kept, ...SECRETS };
  const { env } = resolveLaunch({ command: put('program') }, around(root, { env: source }));
  assert.deepEqual(env, kept);
  assert.equal(source.LIVEKIT_URL, 'x');
});

test('on Windows names are compared without case, and kept as they were', () => {
  const { root, put } = folder();
  const source = { Path: 'C:\\', LiveKit_Url: 'x', node_options: 'x' };
  const windows = around(root, { env: source, platform: 'win32' });
  const { env } = resolveLaunch({ command: put('program') }, windows);
  assert.deepEqual(env, { Path: 'C:\\' });
});

test("a given `env` takes the place of the app's, and is stripped as that is", () => {
  const { root, put } = folder();
  const env = { ONLY: 'this', ...SECRETS };
  assert.deepEqual(resolveLaunch({ command: put('program'), env }, around(root)).env, {
    ONLY: 'this',
  });
});
