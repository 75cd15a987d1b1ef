'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { AgentAccess } = require('../../electron-bridge/lib/tokens/agent-access.cjs');
const {
  ANSWER_WITHIN_MS,
  TokenSource,
} = require('../../electron-bridge/lib/tokens/token-source.cjs');
const { ScriptedDeadlines } = require('./fixtures/scripted-deadlines.cjs');
const { scriptedGetToken, tokenFor } = require('./fixtures/tokens.cjs');

const OPTIONS = Object.freeze({ url: 'wss://server', room: 'r', identity: 'agent-1' });
const TOKEN = tokenFor({ identity: 'agent-1' });
const UNAUTHORIZED = Object.freeze({
  category: 'unauthorized',
  detail: 'd',
  fix: 'f',
  retryable: false,
});
const REFUSED = { state: 'failed', error: UNAUTHORIZED };
/** Between three refusals; less than a question may take. */
const LONGEST_PAUSE_MS = 2000;
const turn = () => new Promise(setImmediate);

/** An AgentAccess with a sidecar that is ready; `sent` is each `connect`, `states` what it told. */
function ready(options = {}, getToken = scriptedGetToken()) {
  const deadlines = new ScriptedDeadlines();
  const world = { sent: [], states: [], reports: [], deadlines, getToken };
  world.access = new AgentAccess({
    source: getToken ? new TokenSource(getToken, deadlines) : undefined,
    deadlines,
    report: (level, message) => world.reports.push([level, message]),
    onState: (state, error, retryInMs) => world.states.push({ state, error, retryInMs }),
    random: () => 1,
  });
  const params = { ...OPTIONS, ...options };
  world.begin = () => world.access.begin(params, (sent) => world.sent.push(sent));
  /** Lets the app answer the question that is out. */
  world.give = async (answer) => {
    getToken.resolve(answer);
    await turn();
  };
  world.fail = async (error) => {
    getToken.reject(error);
    await turn();
  };
  world.begin();
  return world;
}

test('with a secret the app is never asked', () => {
  const secret = { apiKey: 'k', apiSecret: 's' };
  const { access, sent, getToken } = ready(secret);
  access.take({ state: 'failed', error: UNAUTHORIZED });
  assert.deepEqual(sent, [{ ...OPTIONS, ...secret }]);
  assert.equal(getToken.requests.length, 0);
});

test('without getToken a token is all there is, also after its end', () => {
  const { access, sent, begin } = ready({ token: TOKEN }, null);
  access.take({ state: 'waiting-for-token', error: UNAUTHORIZED });
  begin();
  assert.deepEqual(sent, [
    { ...OPTIONS, token: TOKEN },
    { ...OPTIONS, token: TOKEN },
  ]);
});

test('the app is asked first, and its token sent then', async () => {
  const { sent, getToken, give } = ready({ name: 'Clara' });
  assert.deepEqual(getToken.requests, [
    {
      purpose: 'agent',
      room: 'r',
      identity: 'agent-1',
      name: 'Clara',
      grants: { canPublish: false, canSubscribe: false, canPublishData: false },
    },
  ]);
  assert.deepEqual(sent, []);
  await give({ token: TOKEN });
  assert.deepEqual(sent, [{ ...OPTIONS, token: TOKEN, name: 'Clara' }]);
});

test('the agent is known by the identity of its token too, once there is one', async () => {
  const { access, give } = ready();
  assert.deepEqual(access.identities, ['agent-1']);
  await give({ token: tokenFor({ identity: 'agent-2' }) });
  assert.deepEqual(access.identities, ['agent-1', 'agent-2']);
});

test("the url that comes with a token is that token's", async () => {
  const { sent, give } = ready();
  await give({ token: TOKEN, url: 'wss://nearer' });
  assert.equal(sent[0].url, 'wss://nearer');
});

test('a given token is for the first join alone', async () => {
  const { sent, begin, access, getToken } = ready({ token: TOKEN });
  assert.deepEqual([sent.length, getToken.requests.length], [1, 0]);
  access.end();
  begin();
  assert.deepEqual([sent.length, getToken.requests.length], [1, 1]);
});

test('a given token that is about to expire is not even tried', () => {
  const exp = Math.floor(Date.now() / 1000) + 20;
  const { sent, getToken } = ready({ token: tokenFor({ exp }) });
  assert.deepEqual([sent.length, getToken.requests.length], [0, 1]);
});

test('a given token that was refused is followed by three fresh ones', async () => {
  const { access, sent, give, deadlines } = ready({ token: TOKEN });
  for (let count = 0; count < 3; count += 1) {
    access.take(REFUSED);
    await deadlines.pass(LONGEST_PAUSE_MS);
    await give({ token: TOKEN });
  }
  access.take(REFUSED);
  assert.deepEqual([sent.length, deadlines.size], [4, 0]);
});

test('an agent that waits for a token gets a new one at once, as often as it takes', async () => {
  const { access, give, sent, getToken } = ready();
  for (let count = 1; count <= 5; count += 1) {
    await give({ token: TOKEN });
    access.take({ state: 'connected' });
    access.take({ state: 'backoff' });
    access.take({ state: 'waiting-for-token', error: UNAUTHORIZED });
    assert.deepEqual([sent.length, getToken.requests.length], [count, count + 1]);
  }
});

test('three fresh tokens refused in a row end the asking, with a pause before each', async () => {
  const { access, give, sent, deadlines, reports, states } = ready();
  await give({ token: TOKEN });
  access.take(REFUSED);
  assert.deepEqual(deadlines.left(), [1000]);
  await deadlines.pass(1000);
  await give({ token: TOKEN });
  access.take(REFUSED);
  assert.deepEqual(deadlines.left(), [2000]);
  await deadlines.pass(2000);
  await give({ token: TOKEN });
  assert.deepEqual(reports, []);
  access.take(REFUSED);
  assert.deepEqual([sent.length, deadlines.size, reports.length], [3, 0, 1]);
  assert.match(reports[0][1], /refused 3 fresh access tokens in a row/);
  assert.deepEqual(states, []); // the sidecar's own `failed` says it
});

test('three expired tokens in a row end it as well, which the sidecar does not call failed', async () => {
  const { access, give, deadlines, states } = ready();
  for (let count = 0; count < 3; count += 1) {
    await give({ token: TOKEN });
    access.take({ state: 'waiting-for-token', error: UNAUTHORIZED });
    await deadlines.pass(LONGEST_PAUSE_MS);
  }
  assert.equal(states.length, 1);
  const [{ state, error }] = states;
  assert.deepEqual([state, error.category, error.retryable], ['failed', 'unauthorized', false]);
});

test('a token that worked makes the next refusal the first', async () => {
  const { access, give, deadlines, states, getToken } = ready();
  for (let count = 0; count < 6; count += 1) {
    await give({ token: TOKEN });
    if (count % 2 === 1) access.take({ state: 'connected' });
    access.take(REFUSED);
    await deadlines.pass(LONGEST_PAUSE_MS);
  }
  assert.deepEqual(states, []);
  assert.equal(getToken.requests.length, 7);
});

test('once it gave up, an attempt of the app itself begins it anew', async () => {
  const { access, give, deadlines, getToken } = ready();
  for (let count = 0; count < 3; count += 1) {
    await give({ token: TOKEN });
    access.take(REFUSED);
    await deadlines.pass(LONGEST_PAUSE_MS);
  }
  assert.equal(getToken.requests.length, 3);
  access.take({ state: 'connecting' });
  access.take(REFUSED);
  assert.equal(getToken.requests.length, 4);
});

for (const [what, change] of [
  ['an eviction', { state: 'failed', error: { category: 'removed', retryable: false } }],
  ['a failure that the sidecar retries', { state: 'backoff', error: { retryable: true } }],
  ['a reconnect', { state: 'reconnecting' }],
]) {
  test(`${what} is no reason for a new token`, async () => {
    const { access, give, getToken } = ready();
    await give({ token: TOKEN });
    access.take(change);
    assert.equal(getToken.requests.length, 1);
  });
}

test('a getToken that fails is asked again, after 1, 2, 4 … 30 s at most, and said once', async () => {
  const { fail, give, deadlines, reports, states, sent } = ready();
  for (const pauseMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    await fail(new Error(`down, ${TOKEN}`));
    assert.deepEqual(deadlines.left(), [pauseMs]);
    await deadlines.pass(pauseMs);
  }
  assert.equal(reports.length, 1);
  const [[level, message]] = reports;
  assert.equal(level, 'error');
  assert.match(message, /getToken failed: down, \[token\]/);
  assert.deepEqual(
    states.map(({ state, retryInMs }) => [state, retryInMs]),
    [['waiting-for-token', 1000]],
  );
  assert.deepEqual([states[0].error.category, states[0].error.retryable], ['unauthorized', true]);
  await give({ token: TOKEN });
  assert.equal(sent.length, 1);
});

test('the next series of failures is said again, and its pauses begin anew', async () => {
  const { access, fail, give, deadlines, reports } = ready();
  await fail(new Error('down'));
  await deadlines.pass(1000);
  await give({ token: TOKEN });
  access.take({ state: 'connected' });
  access.take({ state: 'waiting-for-token', error: UNAUTHORIZED });
  await fail(new Error('down again'));
  assert.deepEqual([deadlines.left(), reports.length], [[1000], 2]);
});

test('a getToken that never comes back counts as one that failed', async () => {
  const { deadlines, reports, getToken } = ready();
  await deadlines.pass(ANSWER_WITHIN_MS);
  assert.equal(reports.length, 1);
  await deadlines.pass(1000);
  assert.equal(getToken.requests.length, 2);
});

test('a token for another room is no answer', async () => {
  const { give, sent, reports } = ready();
  await give({ token: tokenFor({ room: 'other' }) });
  assert.deepEqual(sent, []);
  assert.match(reports[0][1], /another room/);
});

test('what is no token is left to the sidecar, and counts as refused', async () => {
  const { access, give, sent, deadlines } = ready();
  const malformed = { ...UNAUTHORIZED, category: 'malformed' };
  for (let count = 0; count < 3; count += 1) {
    await give({ token: 'garbage' });
    access.take({ state: 'failed', error: malformed });
    await deadlines.pass(LONGEST_PAUSE_MS);
  }
  assert.equal(sent.length, 3);
});

test('a wake-up ends a pause at once', async () => {
  const { access, fail, deadlines, getToken } = ready();
  access.wake(); // while a question is out, nothing
  assert.equal(getToken.requests.length, 1);
  await fail(new Error('down'));
  access.wake();
  assert.deepEqual([getToken.requests.length, deadlines.left()], [2, [ANSWER_WITHIN_MS]]);
});

test('when the sidecar is gone nothing is left, and a late token goes nowhere', async () => {
  const asking = ready();
  asking.access.end();
  await asking.give({ token: TOKEN });
  assert.deepEqual([asking.sent, asking.reports, asking.deadlines.size], [[], [], 0]);

  const pausing = ready();
  await pausing.fail(new Error('down'));
  pausing.access.end();
  await pausing.deadlines.pass(30_000);
  assert.equal(pausing.getToken.requests.length, 1);
});

test('the next sidecar is asked for anew, and the token of an earlier question is not used', async () => {
  const { access, begin, sent, getToken } = ready();
  const { resolve } = getToken;
  access.end();
  begin();
  resolve({ token: TOKEN });
  await turn();
  assert.deepEqual([sent, getToken.requests.length], [[], 2]);
});
