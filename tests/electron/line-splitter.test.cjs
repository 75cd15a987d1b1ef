'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { splitLines } = require('../../electron-bridge/lib/rpc/line-splitter.cjs');

/** Cuts a stream, given in chunks, and tells what came out. */
function cut(chunks, maxBytes = 64) {
  const seen = [];
  const splitter = splitLines({
    maxBytes,
    onLine: (line) => seen.push(line),
    onOversize: () => seen.push(OVERSIZE),
  });
  for (const chunk of chunks) splitter.push(chunk);
  return { seen, splitter };
}

const OVERSIZE = Symbol('oversize');

function chunksOf(bytes, size) {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

const STREAM = Buffer.from(
  [
    'plain\n',
    '🎤 four bytes each 🎤\n',
    'separators \u2028 and \u2029 and \u0085 and \v are part of a line\n',
    'carriage return\r\n',
    '\n',
    '\r\n',
    `${'x'.repeat(64)}\n`,
    `${'y'.repeat(65)}\n`,
    'after the long one\n',
    `${'z'.repeat(1000)}\n`,
    '\u00fc\n',
    'the rest',
  ].join(''),
);
const LINES = [
  'plain',
  '🎤 four bytes each 🎤',
  'separators \u2028 and \u2029 and \u0085 and \v are part of a line',
  'carriage return',
  'x'.repeat(64),
  OVERSIZE,
  'after the long one',
  OVERSIZE,
  'ü',
];

for (const size of [1, 2, 3, 7, 63, 64, 65, 500, STREAM.length]) {
  test(`a stream in chunks of ${size} bytes gives the same lines`, () => {
    assert.deepEqual(cut(chunksOf(STREAM, size)).seen, LINES);
  });
}

test('a line that is too long and comes whole in one chunk is reported once and skipped', () => {
  const chunk = Buffer.from(`${'x'.repeat(65)}\nnext\n`);
  assert.deepEqual(cut([chunk]).seen, [OVERSIZE, 'next']);
});

test('a line that is too long is reported as soon as it is, not when it ends', () => {
  assert.deepEqual(cut([Buffer.alloc(65, 'x')]).seen, [OVERSIZE]);
});

test('end() gives the last line without a newline, once', () => {
  const { seen, splitter } = cut([Buffer.from('last words')]);
  splitter.end();
  splitter.end();
  assert.deepEqual(seen, ['last words']);
});

test('bytes that are no UTF-8 spoil their own line alone', () => {
  const chunk = Buffer.concat([Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from('fine\n')]);
  assert.deepEqual(cut([chunk]).seen, ['\ufffd\ufffd', 'fine']);
});
