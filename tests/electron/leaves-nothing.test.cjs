'use strict';

const assert = require('node:assert/strict');
const childProcess = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');

const { liveness } = require('./fixtures/liveness.cjs');

const BOUND = Object.freeze({ timeout: 20_000 });
const PROGRAM = path.join(__dirname, 'fixtures', 'short-app.cjs');

function app(scene, port) {
  return childProcess.spawn(process.execPath, [PROGRAM, scene, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

for (const scene of [
  'never-started',
  'stopped',
  'crashed',
  'stopped-in-backoff',
  'started-in-backoff',
  'missing',
  'aborted-and-late',
  'stopped-while-asking-for-a-token',
  'stopped-while-asking-for-a-proxy',
]) {
  test(`after "${scene}" no timer, pipe or listener keeps the app alive`, BOUND, async (t) => {
    const { port } = await liveness(t);
    const running = app(scene, port);
    running.stdout.resume();
    t.after(() => running.kill('SIGKILL'));
    assert.equal(await new Promise((resolve) => running.on('exit', resolve)), 0);
  });
}

test('a sidecar is gone when its app is killed', BOUND, async (t) => {
  const { port, arrived, gone } = await liveness(t);
  const running = app('waits', port);
  running.stdout.resume();
  await arrived(1);
  running.kill('SIGKILL');
  await gone(1);
});

test('an app that exits takes even a sidecar with it that would not go', BOUND, async (t) => {
  const { port, gone } = await liveness(t);
  const running = app('exits', port);
  running.stdout.resume();
  await gone(1);
});
