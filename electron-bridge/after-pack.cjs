'use strict';

/**
 * Owns the check that a packaged app can start its sidecar. The build tool calls it, so that a
 * broken app never ships. It changes no file, and never runs in the app. docs/packaging.md of the
 * repository has the recipes.
 *
 *   electron-builder: "afterPack": "node_modules/clara-voice-bridge/after-pack.cjs"
 *   Electron Forge:   hooks: { postPackage: require('clara-voice-bridge/after-pack.cjs').postPackage }
 */

const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');

const { refusalOfHeader } = require('./lib/process/launch.cjs');
const { VERSION } = require('./lib/protocol.cjs');

/** Names of electron-builder's `Arch`, by number (builder-util, src/arch.ts). */
const ELECTRON_BUILDER_ARCHS = Object.freeze(['ia32', 'x64', 'armv7l', 'arm64', 'universal']);
/** Milliseconds for `sidecar --version`: a first run may wait for a virus scanner. */
const VERSION_TIMEOUT_MS = 60 * 1000;

/**
 * Throws when the packaged app could not start its sidecar.
 *
 * @param {object} app
 * @param {string} app.resources the folder that the app sees as `process.resourcesPath`
 * @param {string} app.platform the app's system, as in `process.platform`
 * @param {string} app.arch the app's processor, as in `process.arch`
 * @param {string} [app.version] the sidecar's version; the bridge's own unless given
 * @throws {Error} with a message that says what is wrong and what to do
 */
function checkSidecar({ resources, platform, arch, version = VERSION }) {
  const folder = path.join(resources, 'sidecar');
  const program = path.join(folder, platform === 'win32' ? 'sidecar.exe' : 'sidecar');
  if (!isKind(program, 'isFile')) {
    throw new Error(
      `The app has no sidecar: there is no ${program}. Make the folder that PyInstaller made an ` +
        'extra resource named "sidecar".',
    );
  }
  if (!isKind(path.join(folder, '_internal'), 'isDirectory')) {
    throw new Error(
      `${program} has no folder _internal beside it. Ship all of dist/sidecar, as build.spec ` +
        'makes it, and not its program alone.',
    );
  }
  // Windows has no run bits: an app for Windows needs none, and a build on Windows sees none.
  const hasRunBits = platform !== 'win32' && process.platform !== 'win32';
  if (hasRunBits && (fs.statSync(program).mode & 0o111) !== 0o111) {
    throw new Error(
      `${program} is not executable by everybody. Copy it with its mode, or chmod 755 it.`,
    );
  }
  const refusal = platform === 'linux' ? refusalOfHeader(program, arch) : null;
  if (refusal !== null) throw new Error(refusal);
  if (platform === process.platform && arch === process.arch) checkVersion(program, version);
}

/**
 * @param {string} program
 * @param {string} version
 */
function checkVersion(program, version) {
  let said;
  try {
    const options = { timeout: VERSION_TIMEOUT_MS, windowsHide: true };
    said = childProcess.execFileSync(program, ['--version'], options).toString().trim();
  } catch (error) {
    throw new Error(
      `${program} does not run: ${/** @type {Error} */ (error).message} Build it on this system ` +
        'and for this processor; `sidecar --self-test` says more.',
    );
  }
  if (said === `clara-voice-sidecar ${version}`) return;
  throw new Error(
    `${program} is "${said}", and this app's clara-voice-bridge is ${version}. A packaged app ` +
      'wants both of one release: build the sidecar from the sources of that version.',
  );
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
 * The hook `afterPack` of electron-builder. On macOS it runs before the app is signed.
 *
 * @param {object} context electron-builder's AfterPackContext; this function uses these members:
 * @param {string} context.appOutDir
 * @param {string} context.electronPlatformName
 * @param {number} context.arch
 * @param {{getResourcesDir(appOutDir: string): string}} context.packager
 */
async function afterPack({ appOutDir, electronPlatformName, arch, packager }) {
  checkSidecar({
    resources: packager.getResourcesDir(appOutDir),
    platform: electronPlatformName,
    arch: ELECTRON_BUILDER_ARCHS[arch],
  });
}

/**
 * The hook `postPackage` of Electron Forge. It runs after the app is signed.
 *
 * @param {unknown} _config
 * @param {{outputPaths: string[], platform: string, arch: string}} result
 */
async function postPackage(_config, { outputPaths, platform, arch }) {
  for (const folder of outputPaths) {
    checkSidecar({ resources: resourcesIn(folder, platform), platform, arch });
  }
}

/**
 * @param {string} folder the result of @electron/packager
 * @param {string} platform
 */
function resourcesIn(folder, platform) {
  if (platform !== 'darwin' && platform !== 'mas') return path.join(folder, 'resources');
  const app = fs.readdirSync(folder).find((name) => name.endsWith('.app'));
  if (app === undefined) throw new Error(`There is no app in ${folder}.`);
  return path.join(folder, app, 'Contents', 'Resources');
}

module.exports = { checkSidecar, default: afterPack, postPackage };
