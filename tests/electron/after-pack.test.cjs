'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const hooks = require('../../electron-bridge/after-pack.cjs');
const { VERSION } = require('../../electron-bridge/lib/protocol.cjs');

const { checkSidecar } = hooks;
/** Places in `Arch` of electron-builder. */
const [IA32, X64, , ARM64] = [0, 1, 2, 3];
const HERE = process.arch === 'arm64' ? ARM64 : X64;
const ELSEWHERE = IA32;

/** An app's resources with a sidecar that says its version; goes with the test. */
function packed(t, { resources = 'resources', program = 'sidecar', says = VERSION } = {}) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'after-pack-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const folder = path.join(root, resources, 'sidecar');
  const file = path.join(folder, program);
  fs.mkdirSync(path.join(folder, '_internal'), { recursive: true });
  fs.writeFileSync(file, `#!/bin/sh\necho clara-voice-sidecar ${says}\n`, { mode: 0o755 });
  return { root, resources: path.join(root, resources), folder, file };
}

/** What electron-builder hands over, as far as it is used. */
function builderContext(root, { platform = process.platform, arch = HERE } = {}) {
  const packager = { getResourcesDir: (appOutDir) => path.join(appOutDir, 'resources') };
  return { appOutDir: root, electronPlatformName: platform, arch, packager };
}

/** The app as this very machine would run it. */
function here(resources) {
  return { resources, platform: process.platform, arch: process.arch };
}

test('a good app passes, as electron-builder and as Forge hand it over', async (t) => {
  const { root } = packed(t);
  await hooks.default(builderContext(root));
  await hooks.postPackage({}, { outputPaths: [root], ...here(root) });
});

/** An app's project with the package that brings a sidecar for this target; goes with the test. */
function installed(t, platform, arch) {
  const project = fs.mkdtempSync(path.join(os.tmpdir(), 'after-pack-project-'));
  t.after(() => fs.rmSync(project, { recursive: true }));
  const name = `clara-voice-sidecar-${platform}-${arch}`;
  const folder = path.join(project, 'node_modules', name);
  fs.mkdirSync(path.join(folder, 'sidecar', '_internal'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, version: VERSION }));
  const program = platform === 'win32' ? 'sidecar.exe' : 'sidecar';
  const text = `#!/bin/sh\necho clara-voice-sidecar ${VERSION}\n`;
  fs.writeFileSync(path.join(folder, 'sidecar', program), text, { mode: 0o755 });
  fs.writeFileSync(path.join(folder, 'sidecar', 'LICENSE'), 'MIT', { mode: 0o644 });
  fs.symlinkSync('real', path.join(folder, 'sidecar', '_internal', 'link'));
  return project;
}

test('electron-builder gets the sidecar of the target out of its package, whole', async (t) => {
  for (const [platform, arch, name] of [
    [process.platform, HERE, process.arch],
    ['win32', ARM64, 'arm64'],
    ['darwin', X64, 'x64'],
  ]) {
    const { root, resources, folder } = packed(t);
    fs.rmSync(folder, { recursive: true });
    const context = builderContext(root, { platform, arch });
    context.packager.projectDir = installed(t, platform, name);
    await hooks.default(context);
    const program = platform === 'win32' ? 'sidecar.exe' : 'sidecar';
    assert.equal(fs.statSync(path.join(resources, 'sidecar', program)).mode & 0o777, 0o755);
    assert.equal(fs.statSync(path.join(resources, 'sidecar', 'LICENSE')).mode & 0o777, 0o644);
    assert.equal(fs.readlinkSync(path.join(resources, 'sidecar', '_internal', 'link')), 'real');
  }
});

test('Forge gets the sidecar before the signing, and the app no second one', async (t) => {
  const { root, folder, file } = packed(t);
  fs.rmSync(folder, { recursive: true });
  const project = installed(t, 'darwin', 'arm64');
  const app = path.join(root, 'resources', 'app');
  const modules = path.join(app, 'node_modules');
  fs.cpSync(path.join(project, 'node_modules'), modules, { recursive: true });
  fs.symlinkSync(project, path.join(modules, 'clara-voice-sidecar-linux-x64')); // as pnpm has it
  fs.mkdirSync(path.join(modules, 'other'));
  const before = process.cwd();
  process.chdir(project);
  t.after(() => process.chdir(before));
  await hooks.packageAfterCopy({}, app, '45.0.0', 'darwin', 'arm64');
  assert.ok(fs.statSync(file).isFile());
  assert.deepEqual(fs.readdirSync(modules), ['other']);
  assert.ok(fs.existsSync(path.join(project, 'node_modules'))); // what the link led to
});

test('an app that brings its own sidecar keeps it', (t) => {
  const { resources, file } = packed(t, { says: 'its own' });
  hooks.bringSidecar({ ...here(resources), project: installed(t, process.platform, process.arch) });
  assert.match(fs.readFileSync(file, 'utf8'), /its own/);
});

test('without the package of the target the build fails and names the command', async (t) => {
  const { root, folder } = packed(t);
  fs.rmSync(folder, { recursive: true });
  const context = builderContext(root, { platform: 'darwin', arch: X64 });
  context.packager.projectDir = installed(t, 'darwin', 'arm64');
  const command = `npm install --no-save --force clara-voice-sidecar-darwin-x64@${VERSION}`;
  await assert.rejects(
    () => hooks.default(context),
    (error) => error.message.includes(command),
  );
  const app = path.join(root, 'resources', 'app');
  await assert.rejects(
    () => hooks.packageAfterCopy({}, app, '45.0.0', 'darwin', 'x64'),
    (error) => error.message.includes(command),
  );
});

test('a sidecar that is in the app a second time fails the build', (t) => {
  for (const app of ['app', 'app.asar.unpacked']) {
    const { resources } = packed(t);
    const second = path.join(resources, app, 'node_modules', 'clara-voice-sidecar-linux-x64');
    fs.mkdirSync(second, { recursive: true });
    assert.throws(() => checkSidecar(here(resources)), /has the sidecar twice/);
  }
});

test('an app without its sidecar fails the build', async (t) => {
  const { root, folder } = packed(t);
  fs.rmSync(folder, { recursive: true });
  const forge = { outputPaths: [root], ...here(root) };
  await assert.rejects(() => hooks.postPackage({}, forge), /extra resource named "sidecar"/);
});

test('a sidecar that lost its run bits, for all or for some, fails the build', (t) => {
  const { resources, file } = packed(t);
  for (const mode of [0o644, 0o744]) {
    fs.chmodSync(file, mode);
    assert.throws(() => checkSidecar(here(resources)), /not executable by everybody/);
  }
});

test('a program without its folder, as one file would be, fails the build', (t) => {
  const { resources, folder } = packed(t);
  fs.rmdirSync(path.join(folder, '_internal'));
  assert.throws(() => checkSidecar(here(resources)), /_internal/);
});

test('a sidecar of another version fails the build, which names both', (t) => {
  const { resources } = packed(t, { says: '9.9.9' });
  assert.throws(() => checkSidecar(here(resources)), /9\.9\.9.* is 0\.\d/);
  checkSidecar({ ...here(resources), version: '9.9.9' });
});

test('a sidecar that does not run fails the build with its words', (t) => {
  const { resources, file } = packed(t);
  fs.writeFileSync(file, '#!/bin/sh\necho no such library >&2\nexit 1\n');
  assert.throws(() => checkSidecar(here(resources)), /does not run: .*no such library/s);
});

test('one for another system or processor is looked at, and not run', async (t) => {
  const { root } = packed(t, { says: 'never asked' });
  await hooks.default(builderContext(root, { arch: ELSEWHERE }));
  const windows = packed(t, { program: 'sidecar.exe', says: 'never asked' });
  fs.chmodSync(windows.file, 0o644);
  await hooks.default(builderContext(windows.root, { platform: 'win32' }));
  await assert.rejects(
    () => hooks.default(builderContext(root, { platform: 'win32' })),
    /sidecar\.exe/,
  );
});

test('on macOS Forge leaves an app bundle, whose resources are looked at', async (t) => {
  const { root, file } = packed(t, { resources: path.join('Clara.app', 'Contents', 'Resources') });
  const mac = { outputPaths: [root], platform: 'darwin', arch: 'universal' };
  await hooks.postPackage({}, mac);
  fs.rmSync(file);
  await assert.rejects(() => hooks.postPackage({}, mac), /no sidecar/);
  fs.rmSync(path.join(root, 'Clara.app'), { recursive: true });
  await assert.rejects(() => hooks.postPackage({}, mac), /no app/);
});

/** The first 64 bytes of an ELF file for a machine. */
function elf(machine) {
  const header = Buffer.alloc(64);
  header.write('\u007fELF', 'latin1');
  header.writeUInt16LE(machine, 18);
  return header;
}

test('for Linux a program of another processor, and what is no program, fail the build', (t) => {
  const { resources, file } = packed(t);
  const elsewhere = process.arch === 'arm64' ? 'x64' : 'arm64';
  const checked = (content, arch = elsewhere) => {
    fs.writeFileSync(file, content);
    return () => checkSidecar({ resources, platform: 'linux', arch });
  };
  const foreign = elsewhere === 'arm64' ? 62 : 183;
  assert.throws(checked(elf(foreign)), /built for another processor/);
  for (const content of ['MZ\u0090', 'hello', '']) {
    assert.throws(checked(content), /is no program for Linux/);
  }
  checked(elf(elsewhere === 'arm64' ? 183 : 62))();
  checked('#!/bin/sh\n')();
});
