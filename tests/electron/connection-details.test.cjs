'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SidecarError } = require('../../electron-bridge/lib/errors.cjs');
const {
  connectionDetails,
  connectionFailure,
  connectionRequest,
} = require('../../electron-bridge/lib/tokens/connection-details.cjs');
const { tokenFor } = require('./fixtures/tokens.cjs');

const AGENT = Object.freeze({ room: 'r', agentIdentities: ['agent-1'] });
const ALL = Object.freeze({ canPublish: true, canSubscribe: true, canPublishData: true });

test('a person who names nothing gets an identity made up, and may do what people do', () => {
  for (const params of [undefined, {}, { identity: null, canPublish: null }]) {
    const { identity, ...request } = connectionRequest(params, AGENT);
    assert.match(identity, /^person-[0-9a-f]{8}$/);
    assert.deepEqual(request, { purpose: 'connection', room: 'r', grants: ALL });
  }
});

test('the app is asked for exactly what was asked for', () => {
  const more = { metadata: 'm', attributes: { a: 'b' }, ttlSeconds: 60 };
  assert.deepEqual(
    connectionRequest({ identity: 'alice', name: 'Alice', canPublish: false, ...more }, AGENT),
    {
      purpose: 'connection',
      room: 'r',
      identity: 'alice',
      name: 'Alice',
      grants: { ...ALL, canPublish: false, ...more },
    },
  );
});

const BAD = [
  [{ identity: '' }, 'params.identity must have 1 to 256 characters'],
  [{ identity: 'x'.repeat(257) }, 'params.identity must have 1 to 256 characters'],
  [{ identity: 7 }, 'params.identity must have 1 to 256 characters'],
  [
    { identity: 'agent-1' },
    "params.identity must not be the agent's own: it would be put out of the room",
  ],
  [{ name: 'x'.repeat(257) }, 'params.name must not be over 256 characters'],
  [{ metadata: 'é'.repeat(8193) }, 'params.metadata must be a text, not over 16384 bytes'],
  [
    { attributes: { a: 1 } },
    'params.attributes must be an object of texts, not over 16384 bytes in all',
  ],
  [
    { attributes: { a: 'x'.repeat(16384) } },
    'params.attributes must be an object of texts, not over 16384 bytes in all',
  ],
  [{ ttlSeconds: 59 }, 'params.ttlSeconds must be from 60 to 86400'],
  [{ ttlSeconds: 86401 }, 'params.ttlSeconds must be from 60 to 86400'],
  [{ canPublish: 'no' }, 'params.canPublish must be true or false'],
  [{ roomAdmin: true }, 'params.roomAdmin is not known'],
];
for (const [params, problem] of BAD) {
  test(`refused: ${problem}`, () => {
    assert.throws(() => connectionRequest(params, AGENT), {
      name: 'RpcError',
      code: -32602,
      message: `Invalid params: ${problem}.`,
    });
  });
}

const REQUEST = Object.freeze({ purpose: 'connection', room: 'r', identity: 'alice', grants: ALL });

test('the page gets the shape that the sidecar gives', () => {
  const token = tokenFor({ exp: 1_800_000_000 });
  assert.deepEqual(connectionDetails(REQUEST, { token }, 'wss://server'), {
    url: 'wss://server',
    room: 'r',
    identity: 'alice',
    token,
    expiresAt: '2027-01-15T08:00:00.000Z',
  });
  const nearer = connectionDetails(REQUEST, { token, url: 'wss://nearer' }, 'wss://server');
  assert.equal(nearer.url, 'wss://nearer');
});

for (const [token, problem] of [
  ['garbage', 'getToken gave something that is no access token'],
  [tokenFor({ room: 'other' }), 'getToken gave a token for another room'],
  [tokenFor({ video: { roomJoin: true } }), 'getToken gave a token for another room'],
  [tokenFor({ identity: 'bob' }), 'getToken gave a token for another identity'],
  [tokenFor({ exp: null }), 'getToken gave a token without an expiry (`exp`)'],
]) {
  test(`no details, and no token told, when ${problem}`, () => {
    assert.throws(() => connectionDetails(REQUEST, { token }, 'wss://server'), {
      name: 'RpcError',
      code: 1006,
      message: `There is no access token for this person: ${problem}.`,
      data: { fix: 'Check the token endpoint behind `getToken`.' },
    });
  });
}

test('what getToken failed with is what the page is told', () => {
  const told = connectionFailure(new Error('getToken failed: 503.'));
  assert.equal(told.code, 1006);
  assert.equal(told.message, 'There is no access token for this person: getToken failed: 503.');
  const late = new SidecarError('TIMEOUT', 'late');
  assert.equal(connectionFailure(late), late);
});
