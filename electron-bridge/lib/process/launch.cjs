'use strict';

/**
 * Owns how the sidecar is started: which program, with which arguments, where, and with which
 * environment; and why it cannot be, before a spawn or by what the system says of one. Starts
 * nothing and knows no process.
 */

const fs = require('fs');
const path = require('path');

const { SidecarError, attempt } = require('../errors.cjs');

/** `--wait`: no configuration but `connect`. JSON lines: a message with a newline stays one. */
const SIDECAR_ARGS = Object.freeze(['--wait', '--log-format', 'json']);
/** -P: Python imports no file of the folder it starts in (types.py, queue.py, sidecar.py). */
const AS_MODULE = Object.freeze(['-P', '-m', 'sidecar']);

/**
 * Variables the sidecar must not inherit. LIVEKIT_*: the bridge configures the sidecar only by
 * `connect`. PyInstaller's own would make a frozen sidecar look for another program's files. The
 * last two would turn an Electron or Node that the sidecar starts into something else.
 */
const STRIPPED = /^(LIVEKIT_.*|PYINSTALLER_.*|_PYI_.*|ELECTRON_RUN_AS_NODE|NODE_OPTIONS)$/;

/** The folder above the bridge: in its repository the one of pyproject.toml. */
const ABOVE = path.resolve(__dirname, '..', '..', '..');
/** A line of the sidecar's own pyproject.toml, which tells its repository from any other project. */
const OURS = /^name = "clara-voice-sidecar"$/m;

/**
 * e_machine of an ELF header (its 19th and 20th byte, little-endian) by the name Node gives an
 * architecture; a 64-bit kernel runs its 32-bit kin, too.
 * @type {Readonly<Record<string, readonly number[]>>}
 */
const MACHINES = Object.freeze({ x64: [62, 3], ia32: [3, 62], arm64: [183, 40], arm: [40, 183] });

/**
 * Codes with which the system refuses a program of another system or processor: Linux's, two that
 * libuv makes of Windows' ERROR_BAD_EXE_FORMAT, and macOS's EBADARCH, which Node has no name for.
 * Only Linux was run.
 */
const BAD_FORMAT = Object.freeze(['ENOEXEC', 'EFTYPE', 'UNKNOWN', 'Unknown system error -86']);

/** What to do about a program that is not there, or that the system does not start. */
const GIVE_IT = 'Give `command` or SIDECAR_PYTHON a full path that is there (Windows: with .exe).';
const SHIP_IT = 'Ship the folder that PyInstaller made as an extra resource named "sidecar".';
const RESTORE =
  'Most likely an antivirus program took it: restore it there, or install the app again.';
const BUILD_HERE = 'Build the sidecar on the system and architecture that the app is shipped for.';
const SMALLER_ENV = 'The environment is larger than the system allows: give `env` with less in it.';
const CHECK_FILE = 'Check its run bit, its folder, the antivirus program, and the memory limits.';

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
 * @typedef {object} Surroundings what the answer depends on besides the options; `process`, but in tests
 * @property {NodeJS.ProcessEnv} env
 * @property {string} [resourcesPath] Electron's own; undefined under plain Node
 * @property {string} [repository] the folder above the bridge, where that is the sidecar's repository
 * @property {NodeJS.Platform} platform
 * @property {string} arch
 */

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
function resolveLaunch(options, around = process) {
  const { electron, env = around.env, logLevel } = options;
  const { platform, arch, resourcesPath, repository = ABOVE } = around;
  const app = electron && electron.app;
  const packaged = app !== undefined && app.isPackaged;
  const manifest = () => fs.readFileSync(path.join(repository, 'pyproject.toml'), 'utf8');
  const home = OURS.test(attempt(manifest) || '') ? repository : undefined;
  const [program, ...args] = packaged
    ? [programIn(String(resourcesPath), platform)]
    : developmentProgram(options, around, home);
  // A name without a folder is looked up on PATH by the system; a relative path would be taken from
  // the child's folder instead of ours.
  const command = path.basename(program) === program ? program : path.resolve(program);
  // userData, since the install folder may be read-only.
  const cwd = packaged ? existingUserData(app) : options.cwd || home || process.cwd();
  const launch = {
    command,
    args: [...args, ...SIDECAR_ARGS, ...(logLevel ? ['--log-level', logLevel] : [])],
    cwd,
    env: childEnvironment(env, platform),
    packaged,
  };
  const isPath = path.isAbsolute(command);
  if (isPath && !isKind(command, 'isFile')) throw missing(launch);
  const refusal = isPath && platform === 'linux' ? refusalOfHeader(command, arch) : null;
  if (refusal !== null) throw new SidecarError('WRONG_ARCH', refusal);
  checkDirectory(cwd);
  return launch;
}

/**
 * Looks for the program in the order that docs and error give.
 *
 * @param {LaunchOptions} options
 * @param {Surroundings} around
 * @param {string | undefined} home the sidecar's repository
 * @returns {readonly string[]} the program and its arguments
 */
function developmentProgram({ command, args = [], electron }, { env, platform, arch }, home) {
  if (command !== undefined) return [command, ...args];
  if (env.SIDECAR_PYTHON) return [env.SIDECAR_PYTHON, ...AS_MODULE];
  const name = `clara-voice-sidecar-${platform}-${arch}`;
  const installed = packageFolder(name, electron);
  if (installed !== undefined) return [programIn(installed, platform)];
  const inVenv = platform === 'win32' ? '.venv/Scripts/python.exe' : '.venv/bin/python';
  const python = home && path.join(home, inVenv);
  if (python && isKind(python, 'isFile')) return [python, ...AS_MODULE];
  const places = `the variable SIDECAR_PYTHON, the package ${name}${python ? `, ${python}` : ''}`;
  const problem = `There is no sidecar to start: no option \`command\`, and nothing in ${places}.`;
  const others = 'Give `command` the path of a frozen sidecar, or set SIDECAR_PYTHON to a Python';
  const fix = python
    ? 'Run `uv sync` in the folder of pyproject.toml.'
    : `${others} 3.11 or newer that has the sidecar installed, or install ${name}.`;
  throw new SidecarError('SIDECAR_MISSING', problem, { fix });
}

/**
 * @param {string} parent of the folder that PyInstaller made
 * @param {string} platform
 */
function programIn(parent, platform) {
  return path.join(parent, 'sidecar', platform === 'win32' ? 'sidecar.exe' : 'sidecar');
}

/**
 * @param {string} name of an npm package
 * @param {import('../../index').ElectronLike | undefined} electron
 * @returns {string | undefined} its folder, found from the app as from the bridge
 */
function packageFolder(name, electron) {
  const app = electron && electron.app;
  const from = [app && app.getAppPath ? app.getAppPath() : process.cwd(), __dirname];
  return attempt(() => path.dirname(require.resolve(`${name}/package.json`, { paths: from })));
}

/**
 * Makes the folder, because Electron makes it only at its own first use, which may be later than the
 * first start. When it cannot be made, the part that uses the folder reports the error.
 *
 * @param {import('../../index').AppLike} app
 */
function existingUserData(app) {
  const folder = app.getPath('userData');
  attempt(() => makeFolders(folder));
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
 * @param {string} file
 * @param {'isFile' | 'isDirectory'} kind
 */
function isKind(file, kind) {
  return attempt(() => fs.statSync(file)[kind]()) === true;
}

/**
 * The system would report a folder that is missing, or cannot be entered, as the program's fault.
 * @param {string} directory
 */
function checkDirectory(directory) {
  const canEnter = () => fs.accessSync(directory, fs.constants.X_OK) === undefined;
  if (isKind(directory, 'isDirectory') && attempt(canEnter)) return;
  const problem = `The sidecar cannot be started in ${directory}: no folder that may be entered.`;
  throw new SidecarError('BAD_CWD', problem, { fix: 'Create it, or give another one as `cwd`.' });
}

/**
 * @param {Launch} launch
 * @param {Error} [cause] of a spawn
 * @returns {SidecarError} SIDECAR_MISSING or REMOVED
 */
function missing({ command, packaged }, cause) {
  const hasFolder = isKind(path.dirname(command), 'isDirectory');
  const code = packaged && hasFolder ? 'REMOVED' : 'SIDECAR_MISSING';
  const problem = `There is no program ${command}.`;
  const fix = !packaged ? GIVE_IT : hasFolder ? RESTORE : SHIP_IT;
  return new SidecarError(code, problem, { fix, cause });
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
  const known = (/** @type {string} */ name) => (platform === 'win32' ? name.toUpperCase() : name);
  const kept = Object.entries(source).filter(([name]) => !STRIPPED.test(known(name)));
  return Object.fromEntries(kept);
}

/**
 * @param {NodeJS.ErrnoException} cause of spawn(), thrown or emitted
 * @param {Launch} launch
 * @returns {SidecarError} SIDECAR_MISSING, REMOVED, BLOCKED or WRONG_ARCH
 */
function spawnFailure(cause, launch) {
  const { code = cause.message } = cause;
  if (code === 'ENOENT' || code === 'ENOTDIR') return missing(launch, cause);
  const problem = `The system refused to start ${launch.command} (${code}).`;
  const isForeign = BAD_FORMAT.includes(code);
  const fix = isForeign ? BUILD_HERE : code === 'E2BIG' ? SMALLER_ENV : CHECK_FILE;
  return new SidecarError(isForeign ? 'WRONG_ARCH' : 'BLOCKED', problem, { fix, cause });
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
  const header = Buffer.alloc(20);
  const read = () => {
    const descriptor = fs.openSync(file, 'r');
    fs.readSync(descriptor, header, 0, header.length, 0);
    fs.closeSync(descriptor);
    return header.toString('latin1', 0, 4);
  };
  const magic = attempt(read);
  // What cannot be read spawn will explain better.
  if (magic === undefined || magic.startsWith('#!')) return null;
  if (magic !== '\u007fELF') return `${file} is no program for Linux. ${BUILD_HERE}`;
  const machine = header.readUInt16LE(18);
  if ((MACHINES[arch] || [machine]).includes(machine)) return null;
  return `${file} was built for another processor (ELF machine ${machine}). ${BUILD_HERE}`;
}

module.exports = { existingUserData, refusalOfHeader, resolveLaunch, spawnFailure };
