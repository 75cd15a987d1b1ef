'use strict';

const assert = require('node:assert/strict');
const childProcess = require('node:child_process');
const EventEmitter = require('node:events');
const path = require('node:path');
const { test } = require('node:test');

const { logLines, holdBrokenPipes } = require('../../electron-bridge/lib/logs.cjs');
const { RecordingLogger } = require('./fixtures/scripted.cjs');

function recorded() {
  const logger = new RecordingLogger();
  const entries = [];
  return { logger, entries, lines: logLines(logger, (entry) => entries.push(entry)) };
}

const TIME = '2026-01-31T12:00:00.000Z';
const line = (level, message) => JSON.stringify({ time: TIME, level, logger: 'agent', message });

const METHODS = {
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'error',
};
for (const [level, method] of Object.entries(METHODS)) {
  test(`a line of level ${level} reaches the logger's ${method} as its message, without a prefix`, () => {
    const { logger, entries, lines } = recorded();
    lines.handleLine(line(level, '🎤 Participant joined: alice'));
    assert.deepEqual(logger.lines, [[method, '🎤 Participant joined: alice']]);
    assert.deepEqual(entries, [
      {
        time: TIME,
        level,
        logger: 'agent',
        message: '🎤 Participant joined: alice',
      },
    ]);
  });
}

test('a message with a cause is two lines of the logger, one event, and two lines of the tail', () => {
  const { logger, entries, lines } = recorded();
  const record = { time: TIME, level: 'critical', logger: 'agent', message: 'No!', cause: 'why\n' };
  lines.handleLine(JSON.stringify(record));
  assert.deepEqual(logger.lines, [
    ['error', 'No!'],
    ['error', 'why\\x0a'],
  ]);
  assert.deepEqual(entries, [{ ...record, cause: 'why\\x0a' }]);
  assert.deepEqual(lines.tail(), ['No!', 'why\\x0a']);
});

const NOT_LOG_RECORDS = [
  'Fatal Python error: Segmentation fault',
  '{"level":"info"}',
  '{"level":"loud","message":"x"}',
  '{"level":"constructor","message":"x"}',
  '{"level":"info","message":"x","time":{"toString":1}}',
  '{"level":"info","message":"x","logger":{"toString":1}}',
  '{"level":"info","message":"x","cause":{"toString":1}}',
  '"text"',
  'null',
  '3',
];
for (const text of NOT_LOG_RECORDS) {
  test(`a line that is no log record is info as it is: ${text}`, () => {
    const { logger, entries, lines } = recorded();
    lines.handleLine(text);
    assert.deepEqual(logger.lines, [['info', text]]);
    assert.equal(entries[0].logger, 'stderr');
  });
}

test('control characters are escaped, so that a name can neither forge a line nor drive a terminal', () => {
  const { logger, lines } = recorded();
  lines.handleLine(line('info', 'a\nb\r\u001b[2J\u0000\u0085\u2028c\u202ed'));
  lines.handleLine('raw \u001b[31m');
  assert.deepEqual(logger.lines, [
    ['info', 'a\\x0ab\\x0d\\x1b[2J\\x00\\x85\\u2028c\\u202ed'],
    ['info', 'raw \\x1b[31m'],
  ]);
});

test('the tail keeps the last 50 lines, each cut, until it is told to forget', () => {
  const { lines } = recorded();
  for (let count = 1; count <= 60; count += 1) lines.handleLine(`line ${count}`);
  assert.equal(lines.tail().length, 50);
  assert.equal(lines.tail()[0], 'line 11');
  lines.handleLine('x'.repeat(100_000));
  assert.equal(lines.tail()[49].length, 2000);
  lines.forget();
  assert.deepEqual(lines.tail(), []);
});

test('a logger that throws does not stop the lines, nor the events', () => {
  const entries = [];
  const broken = () => {
    throw new Error('disk full');
  };
  const logger = { debug: broken, info: broken, warn: broken, error: broken };
  const lines = logLines(logger, (entry) => entries.push(entry.message));
  lines.handleLine('one');
  lines.handleLine('two');
  assert.deepEqual(entries, ['one', 'two']);
});

test('a logger whose promise rejects is no unhandled rejection', async () => {
  const reject = () => Promise.reject(new Error('disk full'));
  const lines = logLines({ info: reject, warn: reject }, () => {});
  lines.handleLine('one');
  await new Promise(setImmediate); // an unhandled rejection would end the test here
});

/** A stream as far as its errors go. */
function scriptedStream(t) {
  const stream = new EventEmitter();
  t.after(holdBrokenPipes([stream]));
  return stream;
}

for (const code of ['EPIPE', 'EOF', 'EIO', 'ENXIO']) {
  test(`a stdout that fails with ${code} does not end the app`, (t) => {
    scriptedStream(t).emit('error', Object.assign(new Error(code), { code }));
  });
}

test('any other failure of stdout ends the app only when the app does not listen itself', (t) => {
  const stream = scriptedStream(t);
  const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
  assert.throws(() => stream.emit('error', full), full);
  const heard = [];
  stream.on('error', (error) => heard.push(error));
  stream.emit('error', full);
  assert.deepEqual(heard, [full]);
});

test('a failure that the app handles once ends no app', (t) => {
  const stream = new EventEmitter();
  const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
  const heard = [];
  stream.once('error', (error) => heard.push(error));
  t.after(holdBrokenPipes([stream]));
  stream.emit('error', full);
  assert.deepEqual(heard, [full]);
});

test('the listeners go with the last sidecar that holds them', () => {
  const stream = new EventEmitter();
  const releases = [holdBrokenPipes([stream]), holdBrokenPipes([stream])];
  const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
  assert.throws(() => stream.emit('error', full), full, 'the app itself does not listen');
  releases[0]();
  releases[0]();
  assert.equal(stream.listenerCount('error'), 1);
  releases[1]();
  assert.equal(stream.listenerCount('error'), 0);
});

test('an app whose stdout has lost its reader goes on', { timeout: 20_000 }, async () => {
  const app = childProcess.spawn(
    process.execPath,
    [path.join(__dirname, 'fixtures', 'app-without-reader.cjs')],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  app.stdout.destroy();
  app.stdin.end('go');
  const errors = [];
  app.stderr.on('data', (chunk) => errors.push(chunk));
  const status = await new Promise((resolve) => app.on('close', resolve));
  assert.equal(Buffer.concat(errors).toString(), '');
  assert.equal(status, 42);
});
