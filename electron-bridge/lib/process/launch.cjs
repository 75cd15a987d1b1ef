'use strict';

/**
 * Owns how the sidecar is started: which program, with which arguments, where, and with which
 * environment; and why it cannot be. Starts nothing and knows no process.
 */

const fs = require('fs');
const path = require('path');

const { SidecarError } = require('../errors.cjs');
const { refusalOfHeader } = require('./spawn-failure.cjs');

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

module.exports = { childEnvironment, existingUserData, resolveLaunch };
