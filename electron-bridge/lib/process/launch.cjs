'use strict';

/**
 * Owns how the sidecar is started: which program, with which arguments, where, and with which
 * environment; and why it cannot be, before a spawn or by what the system says of one. Starts
 * nothing and knows no process.
 */

const fs = require('fs');
const path = require('path');

const { SidecarError } = require('../errors.cjs');

/** `--wait`: no configuration but `connect`. JSON lines: a message with a newline stays one. */
const SIDECAR_ARGS = Object.freeze(['--wait', '--log-format', 'json']);

/**
 * Variables the sidecar must not inherit. LIVEKIT_*: the bridge configures it by `connect` alone.
 * PyInstaller's own would make a frozen sidecar look for another program's files. The last two
 * would turn an Electron or Node that the sidecar starts into something else.
 */
const STRIPPED = /^(LIVEKIT_.*|PYINSTALLER_.*|_PYI_.*|ELECTRON_RUN_AS_NODE|NODE_OPTIONS)$/;

/** The folder above the bridge: in its repository the one of pyproject.toml. */
const ABOVE = path.resolve(__dirname, '..', '..', '..');
/** In a pyproject.toml, whose folder is then the sidecar's repository and not some project's. */
const OURS = /^name = "clara-voice-sidecar"$/m;

const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const SCRIPT = Buffer.from('#!');
/** Where an ELF header has its e_machine (ELF specification, "ELF Header"); all are little-endian. */
const E_MACHINE_OFFSET = 18;

/**
 * e_machine by the name Node gives an architecture; a 64-bit kernel runs its 32-bit kin, too.
 * @type {Readonly<Record<string, readonly number[]>>}
 */
const MACHINES = Object.freeze({
  x64: [62, 3],
  ia32: [3, 62],
  arm64: [183, 40],
  arm: [40, 183],
});

/**
 * @typedef {object} Launch
 * @property {string} command
 * @property {string[]} args
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env complete: never merged with the parent's by who spawns
 * @property {boolean} packaged
 *
 * @typedef {Pick<import('../../index').SidecarOptions, 'command' | 'args' | 'cwd' | 'env' | 'logLevel'>
 *   & {electron?: import('../../index').ElectronLike}} LaunchOptions
 *
 * @typedef {object} Surroundings what the answer depends on besides the options; for tests
 * @property {NodeJS.ProcessEnv} env
 * @property {string | undefined} resourcesPath
 * @property {string} repository the folder above the bridge, where that is the sidecar's repository
 * @property {NodeJS.Platform} platform
 * @property {string} arch
 */

/** @returns {Surroundings} */
function surroundings() {
  return {
    env: process.env,
    // Electron's own addition to `process`; undefined under plain Node.
    resourcesPath: /** @type {any} */ (process).resourcesPath,
    repository: ABOVE,
    platform: process.platform,
    arch: process.arch,
  };
}

/**
 * Decides how to start the sidecar and checks that it can be.
 *
 * Packaged exactly when Electron says so, and then nothing else is tried: a missing file must not
 * make a user's machine run a developer's program.
 *
 * @param {LaunchOptions} options
 * @param {Surroundings} [around]
 * @returns {Launch}
 * @throws {SidecarError} SIDECAR_MISSING, REMOVED, WRONG_ARCH, BAD_CWD
 */
function resolveLaunch(options, around = surroundings()) {
  const app = options.electron && options.electron.app;
  const packaged = app !== undefined && app.isPackaged;
  const { command, args, cwd } = packaged
    ? packagedProgram(/** @type {import('../../index').AppLike} */ (app), around)
    : developmentProgram(options, around);
  const directory = packaged ? cwd : options.cwd || cwd;
  checkDirectory(directory);
  checkProgram(command, around);
  const level = options.logLevel === undefined ? [] : ['--log-level', options.logLevel];
  return {
    command,
    args: [...args, ...SIDECAR_ARGS, ...level],
    cwd: directory,
    env: childEnvironment(options.env || around.env, around.platform),
    packaged,
  };
}

/**
 * @param {import('../../index').AppLike} app
 * @param {Surroundings} around
 */
function packagedProgram(app, { resourcesPath, platform }) {
  const folder = path.join(String(resourcesPath), 'sidecar');
  const command = programIn(folder, platform);
  if (!isKind(folder, 'isDirectory')) {
    throw new SidecarError(
      'SIDECAR_MISSING',
      `The app was packaged without its sidecar: there is no folder ${folder}.`,
      {
        fix:
          'Ship the folder that PyInstaller made as an extra resource named "sidecar" ' +
          '(electron-builder: extraResources).',
      },
    );
  }
  if (!isKind(command, 'isFile')) {
    throw new SidecarError(
      'REMOVED',
      `${command} is gone, while its folder is still there: most likely an antivirus program ` +
        'took it into quarantine.',
      { fix: 'Restore it there and allow it, or install the app again.' },
    );
  }
  // userData, since the install folder may be read-only.
  return { command, args: [], cwd: existingUserData(app) };
}

/**
 * Looks for the program in the order that docs and error give.
 *
 * @param {LaunchOptions} options
 * @param {Surroundings} around
 */
function developmentProgram({ command, args = [], electron }, around) {
  const { env, platform, arch, repository } = around;
  const isRepository = isOurRepository(repository);
  const cwd = isRepository ? repository : process.cwd();
  if (command !== undefined) return { command: absolute(command), args, cwd };
  // -P: a file of the folder it starts in (types.py, queue.py, sidecar.py) is not imported.
  const asModule = ['-P', '-m', 'sidecar'];
  if (env.SIDECAR_PYTHON) return { command: absolute(env.SIDECAR_PYTHON), args: asModule, cwd };
  const name = `clara-voice-sidecar-${platform}-${arch}`;
  const installed = packageFolder(name, electron);
  if (installed !== null) {
    return { command: programIn(path.join(installed, 'sidecar'), platform), args: [], cwd };
  }
  const inVenv = platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
  const python = path.join(repository, '.venv', ...inVenv);
  if (isRepository && isKind(python, 'isFile')) return { command: python, args: asModule, cwd };
  const venv = isRepository ? `, and no ${python}` : '';
  throw new SidecarError(
    'SIDECAR_MISSING',
    'There is no sidecar to start. Looked for: the option `command`, the variable SIDECAR_PYTHON, ' +
      `the package ${name}${venv}; none is there.`,
    {
      fix: isRepository
        ? 'Run `uv sync` in the folder of pyproject.toml.'
        : 'Give `command` the path of a frozen sidecar, or set SIDECAR_PYTHON to a Python 3.11 or ' +
          `newer that has the sidecar installed, or install ${name}.`,
    },
  );
}

/**
 * @param {string} folder that PyInstaller made
 * @param {string} platform
 */
function programIn(folder, platform) {
  return path.join(folder, platform === 'win32' ? 'sidecar.exe' : 'sidecar');
}

/**
 * @param {string} name of an npm package
 * @param {import('../../index').ElectronLike | undefined} electron
 * @returns {string | null} its folder, found from the app as from the bridge
 */
function packageFolder(name, electron) {
  const app = electron && electron.app;
  const from = [app && app.getAppPath ? app.getAppPath() : process.cwd(), __dirname];
  try {
    return path.dirname(require.resolve(`${name}/package.json`, { paths: from }));
  } catch (error) {
    return null;
  }
}

/** @param {string} folder */
function isOurRepository(folder) {
  try {
    return OURS.test(fs.readFileSync(path.join(folder, 'pyproject.toml'), 'utf8'));
  } catch (error) {
    return false;
  }
}

/**
 * A name without a folder is looked up on PATH by the system; a relative path would be taken from
 * the child's folder instead of ours.
 *
 * @param {string} command
 */
function isBareName(command) {
  return path.basename(command) === command;
}

/** @param {string} command */
function absolute(command) {
  return isBareName(command) ? command : path.resolve(command);
}

/**
 * Electron makes the folder only when it first needs it, which may be later than the first start.
 *
 * @param {import('../../index').AppLike} app
 */
function existingUserData(app) {
  const folder = app.getPath('userData');
  try {
    makeFolders(folder);
  } catch (error) {
    // Who needs the folder says what is missing, and for what.
  }
  return folder;
}

/**
 * Not mkdir's own `recursive`, which never returns below a place such as /proc.
 * @param {string} folder
 */
function makeFolders(folder) {
  const parent = path.dirname(folder);
  if (isKind(folder, 'isDirectory') || parent === folder) return;
  makeFolders(parent);
  fs.mkdirSync(folder);
}

/**
 * The system would report a folder that is missing, or cannot be entered, as the program's fault.
 * @param {string} directory
 */
function checkDirectory(directory) {
  const fix = 'Create it, or give another one as `cwd`.';
  if (!isKind(directory, 'isDirectory')) {
    const problem = `The sidecar cannot be started in ${directory}, which is no folder.`;
    throw new SidecarError('BAD_CWD', problem, { fix });
  }
  try {
    fs.accessSync(directory, fs.constants.X_OK);
  } catch (error) {
    const problem = `The sidecar cannot be started in ${directory}, which this user may not enter.`;
    throw new SidecarError('BAD_CWD', problem, { fix });
  }
}

/**
 * @param {string} file
 * @param {'isFile' | 'isDirectory'} kind
 */
function isKind(file, kind) {
  try {
    return fs.statSync(file)[kind]();
  } catch (error) {
    return false;
  }
}

/**
 * @param {string} command
 * @param {Surroundings} around
 */
function checkProgram(command, { platform, arch }) {
  if (isBareName(command)) return;
  if (!isKind(command, 'isFile')) {
    throw new SidecarError('SIDECAR_MISSING', `There is no program ${command}.`, {
      fix: 'Correct the `command` option or SIDECAR_PYTHON, or install again, whichever it comes from.',
    });
  }
  const refusal = platform === 'linux' ? refusalOfHeader(command, arch) : null;
  if (refusal !== null) throw new SidecarError('WRONG_ARCH', refusal);
}

/**
 * A complete copy without what the sidecar must not see. One object, never a merge of two: names
 * are case-insensitive on Windows, where PATH laid over Path would pass both.
 *
 * @param {NodeJS.ProcessEnv} source
 * @param {NodeJS.Platform} platform
 * @returns {NodeJS.ProcessEnv}
 */
function childEnvironment(source, platform) {
  /** @type {NodeJS.ProcessEnv} */
  const env = {};
  for (const [name, value] of Object.entries(source)) {
    const asCompared = platform === 'win32' ? name.toUpperCase() : name;
    if (!STRIPPED.test(asCompared)) env[name] = value;
  }
  return env;
}

/** macOS's EBADARCH, "Bad CPU type in executable", which Node has no name for. Not run. */
const MAC_EBADARCH = -86;

/**
 * @param {NodeJS.ErrnoException} error of spawn(), thrown or emitted
 * @param {Launch} launch
 * @returns {SidecarError} SIDECAR_MISSING, REMOVED, BLOCKED or WRONG_ARCH
 */
function spawnFailure(error, { command, packaged }) {
  const said = `(${error.code || error.message})`;
  if (isMissing(error)) {
    return packaged
      ? new SidecarError(
          'REMOVED',
          `${command} vanished while it was being started ${said}: most likely an antivirus ` +
            'program took it into quarantine.',
          { fix: 'Restore it there and allow it, or install again.', cause: error },
        )
      : new SidecarError('SIDECAR_MISSING', `No program ${command} was found ${said}.`, {
          fix: 'Give `command` its full path.',
          cause: error,
        });
  }
  if (isWrongArch(error)) {
    return new SidecarError(
      'WRONG_ARCH',
      `${command} was built for another system or processor than this one ${said}.`,
      {
        fix: 'Build the sidecar on the system and architecture that the app is shipped for.',
        cause: error,
      },
    );
  }
  const isTooBig = error.code === 'E2BIG';
  return new SidecarError('BLOCKED', `The system refused to start ${command} ${said}.`, {
    fix: isTooBig
      ? 'The environment is larger than the system allows: give `env` with what the sidecar needs ' +
        'alone, PATH and HOME for example.'
      : 'Check that the file may be executed (its run bit, its folder, an antivirus program or ' +
        'policy), and that the system is not out of processes, files or memory.',
    cause: error,
  });
}

/** @param {NodeJS.ErrnoException} error */
function isMissing({ code }) {
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** @param {NodeJS.ErrnoException} error */
function isWrongArch({ code, errno }) {
  // EFTYPE and UNKNOWN are how libuv passes on Windows' ERROR_BAD_EXE_FORMAT. Not run.
  return (
    code === 'ENOEXEC' ||
    code === 'EFTYPE' ||
    (code === 'UNKNOWN' && process.platform === 'win32') ||
    (Number(errno) === MAC_EBADARCH && process.platform === 'darwin')
  );
}

/**
 * Needed because a spawn cannot say it on Linux: glibc's execvp hands a file that the kernel refuses
 * (ENOEXEC) to /bin/sh, which then runs the bytes of a binary as a script.
 *
 * @param {string} file an existing one
 * @param {string} arch as in `process.arch`
 * @returns {string | null} why the file cannot run here, with the fix; null when nothing is known
 *   against it
 */
function refusalOfHeader(file, arch) {
  const header = firstBytes(file);
  if (header === null || header.subarray(0, 2).equals(SCRIPT)) return null;
  if (!header.subarray(0, 4).equals(ELF) || header.length < E_MACHINE_OFFSET + 2) {
    return (
      `${file} is no program for Linux. Build the sidecar on Linux (PyInstaller makes ` +
      'programs only for the system it runs on), or correct the path.'
    );
  }
  const machine = header.readUInt16LE(E_MACHINE_OFFSET);
  const machines = MACHINES[arch];
  if (machines === undefined || machines.includes(machine)) return null;
  return (
    `${file} was built for another processor (ELF machine ${machine}) than this one ` +
    `(${arch}). Build the sidecar on the architecture that the app is shipped for.`
  );
}

/**
 * @param {string} file
 * @returns {Buffer | null} null when it cannot be read, which spawn will explain better
 */
function firstBytes(file) {
  const bytes = Buffer.alloc(E_MACHINE_OFFSET + 2);
  let descriptor;
  try {
    descriptor = fs.openSync(file, 'r');
    return bytes.subarray(0, fs.readSync(descriptor, bytes, 0, bytes.length, 0));
  } catch (error) {
    return null;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

module.exports = {
  childEnvironment,
  existingUserData,
  refusalOfHeader,
  resolveLaunch,
  spawnFailure,
};
