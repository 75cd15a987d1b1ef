'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { pathToFileURL } = require('node:url');

const { allowedPages, isOrigin } = require('../../electron-bridge/lib/pages/sender.cjs');
const { newFolder } = require('./fixtures/folders.cjs');

/** The root of this system's files: on Windows it names a drive. */
const ROOT = pathToFileURL(path.resolve('/')).href;

test("unless told otherwise, the files under the app's path are allowed and nothing else is", () => {
  const isAllowed = allowedPages(path.resolve('/opt/app.asar'));
  for (const url of [`${ROOT}opt/app.asar/index.html`, `${ROOT}opt/app.asar/a/..b/i.html?q#h`]) {
    assert.equal(isAllowed(url), true, url);
  }
  for (const url of [
    `${ROOT}opt/app.asar`,
    `${ROOT}opt/app.asar-evil/index.html`,
    `${ROOT}opt/app.asar/../evil.html`,
    `${ROOT}opt/app.asar/%2e%2e/evil.html`,
    `${ROOT}opt/app.asar%2fevil.html`,
    `${ROOT}etc/passwd`,
    'file://server/opt/app.asar/index.html',
    'https://example.com/opt/app.asar/index.html',
    'data:text/html,x',
    'about:blank',
    'about:srcdoc',
    'blob:null/7',
    '',
    'nonsense',
  ]) {
    assert.equal(isAllowed(url), false, url);
  }
});

test('with origins given, their pages are allowed and files are not', () => {
  const isAllowed = allowedPages(path.resolve('/opt/app'), ['https://example.com', 'app://main']);
  for (const url of ['https://example.com/a', 'https://example.com:443/', 'app://main/i.html']) {
    assert.equal(isAllowed(url), true, url);
  }
  for (const url of [
    'http://example.com/',
    'https://example.com:8443/',
    'https://example.com.evil.org/',
    'https://evil.org/?https://example.com',
    'https://example.com@evil.org/',
    'blob:https://example.com/7',
    'app://other/',
    `${ROOT}opt/app/index.html`,
  ]) {
    assert.equal(isAllowed(url), false, url);
  }
});

test("file:// among the origins stands for the app's files, not for all", () => {
  const isAllowed = allowedPages(path.resolve('/opt/app'), ['file://', 'http://localhost:5173']);
  assert.equal(isAllowed(`${ROOT}opt/app/index.html`), true);
  assert.equal(isAllowed('http://localhost:5173/'), true);
  assert.equal(isAllowed(`${ROOT}etc/passwd`), false);
});

test("a link in the app's path does not shut its own pages out, nor let others in", () => {
  const folder = newFolder();
  for (const name of ['app', 'other']) {
    fs.mkdirSync(path.join(folder, name));
    fs.writeFileSync(path.join(folder, name, 'index.html'), '');
  }
  fs.symlinkSync(path.join(folder, 'app'), path.join(folder, 'link'), 'junction');
  const isAllowed = allowedPages(path.join(folder, 'link'));
  const url = (...names) => pathToFileURL(path.join(folder, ...names)).href;
  assert.equal(isAllowed(url('app', 'index.html')), true);
  assert.equal(isAllowed(url('link', 'index.html')), true);
  assert.equal(isAllowed(url('other', 'index.html')), false);
});

test('an origin is a scheme and a host and nothing more', () => {
  for (const good of ['file://', 'app://main', 'http://localhost:5173', 'https://example.com']) {
    assert.equal(isOrigin(good), true, good);
  }
  for (const bad of [
    '*',
    '',
    'https://',
    'https://example.com/',
    'https://example.com/app',
    'https://user@example.com',
    'https://example.com:443',
    'HTTPS://example.com',
    'example.com',
    'file:///opt',
    'null',
    7,
    undefined,
  ]) {
    assert.equal(isOrigin(bad), false, String(bad));
  }
});
