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

/** In this repository: the folder of pyproject.toml, beside the bridge's own. */
const REPOSITORY = path.resolve(__dirname, '..', '..');

/**
 * @typedef {object} Launch
 * @property {string} command
 * @property {string[]} args
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env complete: never merged with the parent's by who spawns
 * @property {boolean} packaged
 *
 * @typedef {object} Surroundings what the answer depends on besides the options; for tests
 * @property {NodeJS.ProcessEnv} env
 * @property {string | undefined} resourcesPath
 * @property {string} repository
 * @property {NodeJS.Platform} platform
 * @property {string} arch
 */

/** @returns {Surroundings} */
function surroundings() {
  return {
    env: process.env,
    // Electron's own addition to `process`; undefined under plain Node.
    resourcesPath: /** @type {any} */ (process).resourcesPath,
    repository: REPOSITORY,
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
 * @param {Pick<import('../../index').SidecarOptions, 'command' | 'args' | 'cwd' | 'env' | 'electron'>}
 *   options
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
  return {
    command,
    args: [...args, ...SIDECAR_ARGS],
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
  const command = path.join(folder, platform === 'win32' ? 'sidecar.exe' : 'sidecar');
  if (!fs.existsSync(folder)) {
    throw new SidecarError(
      'SIDECAR_MISSING',
      `The app was packaged without its sidecar: there is no ${folder}. Ship the folder that ` +
        'PyInstaller made as an extra resource named "sidecar" (electron-builder: extraResources).',
    );
  }
  if (!fs.existsSync(command)) {
    throw new SidecarError(
      'REMOVED',
      `${command} is gone, while its folder is still there: most likely an antivirus program ` +
        'took it into quarantine. Restore it there and allow it, or install the app again.',
    );
  }
  // userData, since the install folder may be read-only.
  return { command, args: [], cwd: existingUserData(app) };
}

/**
 * @param {Pick<import('../../index').SidecarOptions, 'command' | 'args'>} options
 * @param {Surroundings} around
 */
function developmentProgram({ command, args = [] }, { env, repository, platform }) {
  const isRepository = fs.existsSync(path.join(repository, 'pyproject.toml'));
  const cwd = isRepository ? repository : process.cwd();
  if (command !== undefined) return { command: absolute(command), args, cwd };
  const asModule = ['-m', 'sidecar'];
  if (env.SIDECAR_PYTHON) return { command: absolute(env.SIDECAR_PYTHON), args: asModule, cwd };
  const inVenv = platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
  const python = path.join(repository, '.venv', ...inVenv);
  if (isRepository && fs.existsSync(python)) return { command: python, args: asModule, cwd };
  throw new SidecarError(
    'SIDECAR_MISSING',
    `There is no sidecar to start: no \`command\` option, no SIDECAR_PYTHON, and no ${python}. ` +
      'Run `uv sync` in the folder of pyproject.toml, or set SIDECAR_PYTHON to a Python that has ' +
      'the sidecar installed, or give `command` the path of a frozen sidecar.',
  );
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
    fs.mkdirSync(folder, { recursive: true });
  } catch (error) {
    // Whoever needs the folder says what is missing, and for what.
  }
  return folder;
}

/**
 * A missing folder would be reported by the system as a missing program.
 * @param {string} directory
 */
function checkDirectory(directory) {
  if (isDirectory(directory)) return;
  throw new SidecarError(
    'BAD_CWD',
    `The sidecar cannot be started in ${directory}, which is no folder. Create it, or give ` +
      'another one as `cwd`.',
  );
}

/** @param {string} directory */
function isDirectory(directory) {
  try {
    return fs.statSync(directory).isDirectory();
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
  if (!fs.existsSync(command)) {
    throw new SidecarError(
      'SIDECAR_MISSING',
      `There is no ${command}. Correct the \`command\` option or SIDECAR_PYTHON, whichever names it.`,
    );
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
