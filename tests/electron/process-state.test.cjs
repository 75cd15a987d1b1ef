'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { TRANSITIONS, nextState } = require('../../electron-bridge/lib/process/restarts.cjs');

const EVENTS = ['start', 'ready', 'crashed', 'stop', 'ended', 'failed'];
const KNOWN = {
  'idle start': 'starting',
  'idle failed': 'failed',
  'starting ready': 'ready',
  'starting crashed': 'backoff',
  'starting stop': 'stopping',
  'starting failed': 'failed',
  'ready crashed': 'backoff',
  'ready stop': 'stopping',
  'ready failed': 'failed',
  'backoff start': 'starting',
  'backoff stop': 'idle',
  'backoff failed': 'failed',
  'stopping ended': 'idle',
  'failed start': 'starting',
  'failed failed': 'failed',
  'failed stop': 'idle',
};

for (const state of Object.keys(TRANSITIONS)) {
  for (const event of EVENTS) {
    const expected = KNOWN[`${state} ${event}`];
    test(`${state}, ${event}: ${expected || 'refused'}`, () => {
      if (expected) assert.equal(nextState(state, event), expected);
      else
        assert.throws(() => nextState(state, event), {
          message: `"${event}" has no meaning in state "${state}"`,
        });
    });
  }
}
