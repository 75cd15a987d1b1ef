'use strict';

/**
 * Owns how the build tool gives a packaged app its sidecar: brings the one for the app's target out
 * of its npm package, unless the app has one, and checks that the app can start it. So a broken app
 * never ships. Never runs in the app. docs/packaging.md of the repository has the recipes.
 *
 *   electron-builder: "afterPack": "node_modules/clara-voice-bridge/after-pack.cjs"
 *   Electron Forge:   hooks: { packageAfterCopy, postPackage }, both from this file
 */

const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');

const { refusalOfHeader } = require('./lib/process/launch.cjs');
const { VERSION } = require('./lib/protocol.cjs');

/** How the names of the packages begin that bring the sidecar. */
const PACKAGE = 'clara-voice-sidecar-';
/** The packages that there are. */
const PACKAGES = Object.keys(require('./package.json').optionalDependencies);
/** Names of electron-builder's `Arch`, by number (builder-util, src/arch.ts). */
const ELECTRON_BUILDER_ARCHS = Object.freeze(['ia32', 'x64', 'armv7l', 'arm64', 'universal']);
/** Milliseconds for `sidecar --version`: a first run may wait for a virus scanner. */
const VERSION_TIMEOUT_MS = 60 * 1000;

/**
 * Copies the sidecar for the app's target out of its npm package. Does nothing when the app has a
 * sidecar already, from `extraResources`.
 *
 * @param {object} app
 * @param {string} app.resources the folder that the app sees as `process.resourcesPath`
 * @param {string} app.platform the app's system, as in `process.platform`
 * @param {string} app.arch the app's processor, as in `process.arch`
 * @param {string} [app.project] the folder of the app's own package.json
 * @throws {Error} when no package for the target, of the bridge's version, is installed
 */
function bringSidecar({ resources, platform, arch, project = process.cwd() }) {
  const target = path.join(resources, 'sidecar');
  if (isKind(target, 'isDirectory')) return;
  const name = `${PACKAGE}${platform}-${arch}`;
  if (!PACKAGES.includes(name)) {
    throw new Error(
      `There is no sidecar for ${platform} ${arch}. There are packages for ` +
        `${PACKAGES.map((each) => each.slice(PACKAGE.length)).join(', ')}. Bring your own as the ` +
        'extra resource "sidecar".',
    );
  }
  let installed;
  try {
    installed = path.dirname(
      require.resolve(`${name}/package.json`, { paths: [project, __dirname] }),
    );
  } catch (error) {
    // npm installs the package of the machine it runs on alone.
    throw new Error(
      `The app has no sidecar for ${platform} ${arch}: ${name} is not installed. ` +
        `Run: npm install --no-save --force ${name}@${VERSION}`,
    );
  }
  const told = JSON.parse(fs.readFileSync(path.join(installed, 'package.json'), 'utf8'));
  if (told.version !== VERSION) {
    throw new Error(
      `${installed} is version ${told.version}, and this app's clara-voice-bridge is ${VERSION}. ` +
        `Run: npm install --no-save --force ${name}@${VERSION}`,
    );
  }
  copyFolder(path.join(installed, 'sidecar'), target);
}

/**
 * With file modes and links: without a run bit a program cannot be started.
 * @param {string} from
 * @param {string} to a new folder
 */
function copyFolder(from, to) {
  fs.mkdirSync(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) copyFolder(source, target);
    else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target);
    else fs.copyFileSync(source, target);
  }
}

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
  checkNoCopy(resources);
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
 * Refuses a second sidecar in the app's node_modules: the app starts only the sidecar in its
 * resources, so the package would add 53 MB without use.
 * @param {string} resources
 */
function checkNoCopy(resources) {
  for (const app of ['app.asar.unpacked', 'app']) {
    const modules = path.join(resources, app, 'node_modules');
    const packed = isKind(modules, 'isDirectory')
      ? fs.readdirSync(modules).find((name) => name.startsWith(PACKAGE))
      : undefined;
    if (packed === undefined) continue;
    throw new Error(
      `The app has the sidecar twice: as its resource, and as ${path.join(modules, packed)}. ` +
        `With electron-builder, add "!node_modules/${PACKAGE}*/**/*" to "files"; with Forge, add the ` +
        'hook packageAfterCopy of clara-voice-bridge/after-pack.cjs.',
    );
  }
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
 * @param {{getResourcesDir(appOutDir: string): string, projectDir?: string}} context.packager
 */
async function afterPack({ appOutDir, electronPlatformName, arch, packager }) {
  const app = {
    resources: packager.getResourcesDir(appOutDir),
    platform: electronPlatformName,
    arch: ELECTRON_BUILDER_ARCHS[arch],
    project: packager.projectDir,
  };
  bringSidecar(app);
  checkSidecar(app);
}

/**
 * The hook `packageAfterCopy` of Electron Forge: brings the sidecar before the app is signed, and
 * takes the packages that bring it out of the app's modules.
 *
 * @param {unknown} _config
 * @param {string} buildPath the app's folder in the resources
 * @param {string} _electronVersion
 * @param {string} platform
 * @param {string} arch
 */
async function packageAfterCopy(_config, buildPath, _electronVersion, platform, arch) {
  const modules = path.join(buildPath, 'node_modules');
  const copied = isKind(modules, 'isDirectory') ? fs.readdirSync(modules) : [];
  for (const name of copied.filter((each) => each.startsWith(PACKAGE))) {
    remove(path.join(modules, name));
  }
  bringSidecar({ resources: path.dirname(buildPath), platform, arch });
}

/** @param {string} file a file, a folder with all that is in it, or a link alone */
function remove(file) {
  if (!fs.lstatSync(file).isDirectory()) {
    fs.unlinkSync(file);
    return;
  }
  for (const name of fs.readdirSync(file)) remove(path.join(file, name));
  fs.rmdirSync(file);
}

/**
 * The hook `postPackage` of Electron Forge. It runs after the app is signed, and changes no file.
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

module.exports = { bringSidecar, checkSidecar, default: afterPack, packageAfterCopy, postPackage };
