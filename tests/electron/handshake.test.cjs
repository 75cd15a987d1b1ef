'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { RpcError, SidecarError } = require('../../electron-bridge/lib/errors.cjs');
const {
  initializeParams,
  mismatch,
  startFailure,
} = require('../../electron-bridge/lib/process/run.cjs');
const { VERSION } = require('../../electron-bridge/lib/protocol.cjs');

const ANSWER = Object.freeze({ protocolVersion: 1, server: { name: 's', version: VERSION } });

test('the sidecar is told the protocol, whose child it is, and who talks to it', () => {
  assert.deepEqual(initializeParams({ resume: [], usedIds: [], outageMs: 0 }, []), {
    protocolVersion: 1,
    parentPid: process.pid,
    client: { name: 'clara-voice-bridge', version: VERSION },
  });
});

test('the sidecar is told what it may ask, and of each open session all that is known', () => {
  const resume = [{ sessionId: 's', name: 'Alice' }];
  const params = initializeParams({ resume, outageMs: 7, serverAheadMs: -60000 }, ['getToken']);
  assert.deepEqual(params.client.capabilities, { getToken: true });
  assert.deepEqual([params.resume, params.outageMs, params.serverAheadMs], [resume, 7, -60000]);
});

test('a sidecar of this release fits, packaged or not', () => {
  assert.equal(mismatch(ANSWER, true), null);
  assert.equal(mismatch(ANSWER, false), null);
});

test('another release of the same protocol fits in development alone', () => {
  const answer = { ...ANSWER, server: { name: 's', version: '0.0.9' } };
  assert.equal(mismatch(answer, false), null);
  assert.equal(mismatch(answer, true).code, 'VERSION_MISMATCH');
});

for (const answer of [{ ...ANSWER, protocolVersion: 2 }, {}, null, 'hello']) {
  test(`an answer of another protocol, or of none, never fits: ${JSON.stringify(answer)}`, () => {
    for (const packaged of [true, false]) {
      const error = mismatch(answer, packaged);
      assert.ok(error instanceof SidecarError);
      assert.equal(error.code, 'VERSION_MISMATCH');
      assert.ok(error.message.includes(`version ${VERSION} with protocol 1`), error.message);
    }
  });
}

test('no answer in time is START_TIMEOUT, with the last words beside its message', () => {
  const error = startFailure(new SidecarError('TIMEOUT', ''), 30_000, ['Scanning...']);
  assert.equal(error.code, 'START_TIMEOUT');
  assert.deepEqual(error.stderrTail, ['Scanning...']);
  assert.match(error.message, /30000 ms.*startTimeoutMs/);
});

test("a refusal is VERSION_MISMATCH, with the sidecar's own words", () => {
  const cause = new RpcError(-32602, 'It speaks 1, not 2.');
  const error = startFailure(cause, 30_000, []);
  assert.deepEqual([error.code, error.cause], ['VERSION_MISMATCH', cause]);
  assert.ok(error.message.includes('It speaks 1, not 2.'));
});

test('an end before the answer is for the end of the run to explain', () => {
  assert.equal(startFailure(new SidecarError('EXITED', ''), 30_000, []), null);
});
