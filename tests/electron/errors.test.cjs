'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { SidecarError } = require('../../electron-bridge/index.cjs');

test('an error is printed with the facts that there are, and its message once', () => {
  const error = new SidecarError('EXITED', 'It ended.', {
    fix: 'Look.',
    exitCode: 3,
    signal: null,
  });
  assert.deepEqual({ ...error }, { code: 'EXITED', exitCode: 3, signal: null });
  assert.deepEqual(
    [error.message, error.problem, error.fix],
    ['It ended. Look.', 'It ended.', 'Look.'],
  );
  assert.equal(inspect(error).split('It ended.').length, 2);
});
