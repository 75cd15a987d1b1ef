'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const hooks = require('../../electron-bridge/after-pack.cjs');
const { VERSION } = require('../../electron-bridge/lib/protocol.cjs');
const { newFolder } = require('./fixtures/folders.cjs');
const { IS_WINDOWS, makeProgram } = require('./fixtures/programs.cjs');

const { checkSidecar } = hooks;
/** Places in `Arch` of electron-builder. */
const [IA32, X64, , ARM64] = [0, 1, 2, 3];
const HERE = process.arch === 'arm64' ? ARM64 : X64;
const ELSEWHERE = IA32;
/** A system whose sidecar this one does not run, with the name of its program. */
const [OTHER_SYSTEM, ITS_PROGRAM] = IS_WINDOWS ? ['darwin', 'sidecar'] : ['win32', 'sidecar.exe'];
const PROGRAM = IS_WINDOWS ? 'sidecar.exe' : 'sidecar';

/** What a sidecar says of its version. */
const saying = (version) => `console.log('clara-voice-sidecar ${version}');\n`;

/** An app's resources with a sidecar that says its version. */
function packed({ resources = 'resources', program = PROGRAM, says = VERSION } = {}) {
  const root = newFolder();
  const folder = path.join(root, resources, 'sidecar');
  const file = path.join(folder, program);
  fs.mkdirSync(path.join(folder, '_internal'), { recursive: true });
  makeProgram(file, saying(says));
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

test('a good app passes, as electron-builder and as Forge hand it over', async () => {
  const { root } = packed();
  await hooks.default(builderContext(root));
  await hooks.postPackage({}, { outputPaths: [root], ...here(root) });
});

/** All that is in a folder: [path, mode, what a link leads to or a file holds]. */
function contents(folder, under = '') {
  return fs.readdirSync(path.join(folder, under)).flatMap((name) => {
    const file = path.join(folder, under, name);
    const stat = fs.lstatSync(file);
    const own = [path.join(under, name), stat.mode];
    if (stat.isDirectory()) return [own, ...contents(folder, path.join(under, name))];
    return [
      [...own, stat.isSymbolicLink() ? fs.readlinkSync(file) : fs.readFileSync(file, 'utf8')],
    ];
  });
}

/** An app's project with the package that brings a sidecar for this target. */
function installed(platform, arch) {
  const project = newFolder();
  const name = `clara-voice-sidecar-${platform}-${arch}`;
  const folder = path.join(project, 'node_modules', name);
  fs.mkdirSync(path.join(folder, 'sidecar', '_internal'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, version: VERSION }));
  const program = platform === 'win32' ? 'sidecar.exe' : 'sidecar';
  makeProgram(path.join(folder, 'sidecar', program), saying(VERSION));
  fs.writeFileSync(path.join(folder, 'sidecar', 'LICENSE'), 'MIT', { mode: 0o644 });
  // On Windows only an administrator makes links, and a sidecar for Windows has none.
  if (!IS_WINDOWS) fs.symlinkSync('real', path.join(folder, 'sidecar', '_internal', 'link'));
  return project;
}

test('electron-builder gets the sidecar of the target out of its package, whole', async () => {
  for (const [platform, arch, name] of [
    [process.platform, HERE, process.arch],
    ['win32', ARM64, 'arm64'],
    ['darwin', X64, 'x64'],
  ]) {
    const { root, resources, folder } = packed();
    fs.rmSync(folder, { recursive: true });
    const context = builderContext(root, { platform, arch });
    context.packager.projectDir = installed(platform, name);
    await hooks.default(context);
    const { projectDir } = context.packager;
    const source = path.join(projectDir, 'node_modules', `clara-voice-sidecar-${platform}-${name}`);
    const shipped = contents(path.join(source, 'sidecar'));
    assert.ok(shipped.length >= (IS_WINDOWS ? 4 : 5), String(shipped.length));
    assert.deepEqual(contents(path.join(resources, 'sidecar')), shipped);
  }
});

test('Forge gets the sidecar before the signing, and the app no second one', async (t) => {
  const { root, folder, file } = packed({ program: 'sidecar' });
  fs.rmSync(folder, { recursive: true });
  const project = installed('darwin', 'arm64');
  const app = path.join(root, 'resources', 'app');
  const modules = path.join(app, 'node_modules');
  fs.cpSync(path.join(project, 'node_modules'), modules, { recursive: true });
  fs.mkdirSync(path.join(modules, 'other'));
  const before = process.cwd();
  process.chdir(project);
  t.after(() => process.chdir(before));
  await hooks.packageAfterCopy({}, app, '45.0.0', 'darwin', 'arm64');
  assert.ok(fs.statSync(file).isFile());
  assert.deepEqual(fs.readdirSync(modules), ['other']);
});

test('a package that pnpm linked goes from the app, and not what the link leads to', async () => {
  const { root } = packed();
  const app = path.join(root, 'resources', 'app');
  const modules = path.join(app, 'node_modules');
  fs.mkdirSync(modules, { recursive: true });
  const stored = installed('linux', 'x64');
  fs.symlinkSync(stored, path.join(modules, 'clara-voice-sidecar-linux-x64'), 'junction');
  await hooks.packageAfterCopy({}, app, '45.0.0', 'linux', 'x64');
  assert.deepEqual(fs.readdirSync(modules), []);
  assert.ok(fs.existsSync(path.join(stored, 'node_modules')));
});

test('an app that brings its own sidecar keeps it', () => {
  const { resources, folder } = packed({ says: 'its own' });
  const before = contents(folder);
  hooks.bringSidecar({ ...here(resources), project: installed(process.platform, process.arch) });
  assert.deepEqual(contents(folder), before);
});

test('without the package of the target the build fails and names the command', async () => {
  const { root, folder } = packed();
  fs.rmSync(folder, { recursive: true });
  const context = builderContext(root, { platform: 'darwin', arch: X64 });
  context.packager.projectDir = installed('darwin', 'arm64');
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

test('a target without a package fails the build, which names those that there are', () => {
  const { resources, folder } = packed();
  fs.rmSync(folder, { recursive: true });
  for (const [platform, arch] of [
    ['windows', 'x64'],
    ['linux', 'ia32'],
  ]) {
    assert.throws(
      () => hooks.bringSidecar({ resources, platform, arch, project: newFolder() }),
      /There is no sidecar for (windows x64|linux ia32).*linux-x64, .*win32-arm64/,
    );
  }
});

test('a package of another version fails the build, which may not be able to run its program', () => {
  const { resources, folder } = packed();
  fs.rmSync(folder, { recursive: true });
  const project = installed('darwin', 'arm64');
  const name = 'clara-voice-sidecar-darwin-arm64';
  const file = path.join(project, 'node_modules', name, 'package.json');
  fs.writeFileSync(file, JSON.stringify({ name, version: '0.0.9' }));
  assert.throws(
    () => hooks.bringSidecar({ resources, platform: 'darwin', arch: 'arm64', project }),
    (error) => error.message.includes('0.0.9') && error.message.includes(`${name}@${VERSION}`),
  );
  assert.ok(!fs.existsSync(folder));
});

test('a sidecar that is in the app a second time fails the build', () => {
  for (const app of ['app', 'app.asar.unpacked']) {
    const { resources } = packed();
    const second = path.join(resources, app, 'node_modules', 'clara-voice-sidecar-linux-x64');
    fs.mkdirSync(second, { recursive: true });
    assert.throws(() => checkSidecar(here(resources)), /has the sidecar twice/);
  }
});

test('an app without its sidecar fails the build', async () => {
  const { root, folder } = packed();
  fs.rmSync(folder, { recursive: true });
  const forge = { outputPaths: [root], ...here(root) };
  await assert.rejects(() => hooks.postPackage({}, forge), /extra resource named "sidecar"/);
});

test('a sidecar that lost its run bits, for all or for some, fails the build', () => {
  const { resources, file } = packed();
  for (const mode of [0o644, 0o744]) {
    fs.chmodSync(file, mode);
    assert.throws(() => checkSidecar(here(resources)), /not executable by everybody/);
  }
});

test('a program without its folder, as one file would be, fails the build', () => {
  const { resources, folder } = packed();
  fs.rmdirSync(path.join(folder, '_internal'));
  assert.throws(() => checkSidecar(here(resources)), /_internal/);
});

test('a sidecar of another version fails the build, which names both', () => {
  const { resources } = packed({ says: '9.9.9' });
  assert.throws(() => checkSidecar(here(resources)), /9\.9\.9.* is 0\.\d/);
  checkSidecar({ ...here(resources), version: '9.9.9' });
});

test('a sidecar that does not run fails the build with its words', () => {
  const { resources, file } = packed();
  makeProgram(file, "console.error('no such library'); process.exitCode = 1;");
  assert.throws(() => checkSidecar(here(resources)), /does not run: .*no such library/s);
});

test('one for another system or processor is looked at, and not run', async () => {
  const { root } = packed({ says: 'never asked' });
  await hooks.default(builderContext(root, { arch: ELSEWHERE }));
  const other = packed({ program: ITS_PROGRAM, says: 'never asked' });
  fs.chmodSync(other.file, 0o644);
  await hooks.default(builderContext(other.root, { platform: OTHER_SYSTEM }));
  await assert.rejects(
    () => hooks.default(builderContext(root, { platform: OTHER_SYSTEM })),
    (error) => error.message.includes(ITS_PROGRAM),
  );
});

test('on macOS Forge leaves an app bundle, whose resources are looked at', async () => {
  const resources = path.join('Clara.app', 'Contents', 'Resources');
  const { root, file } = packed({ resources, program: 'sidecar' });
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

test('for Linux a program of another processor, and what is no program, fail the build', () => {
  const { resources, file } = packed({ program: 'sidecar' });
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
