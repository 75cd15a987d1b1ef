'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { BURST, PER_SECOND, makeBudget } = require('../../electron-bridge/lib/pages/budget.cjs');
const { served } = require('./fixtures/served.cjs');

test('20,000 calls of a page in one turn make no more requests than its budget', async () => {
  const { voice, clara } = served();
  voice.answers = { createConnection: () => ({ token: 't' }) };
  const beganMs = performance.now();
  const calls = Array.from({ length: 20_000 }, () => clara.createConnection());
  const results = await Promise.allSettled(calls);
  const most = BURST + 1 + (PER_SECOND * (performance.now() - beganMs)) / 1000;
  const given = results.filter(({ status }) => status === 'fulfilled').length;
  assert.equal(given, voice.asked.length);
  assert.ok(given >= BURST && given <= most, `${given} calls`);
  const { reason } = results.find(({ status }) => status === 'rejected');
  assert.equal(reason.code, 'BUSY');
  assert.match(reason.data.fix, /Wait/);
  assert.equal((await clara.listSessions()).seq, 0, 'what the main process knows is free');
});

test('each call that reaches the sidecar takes from the budget', async () => {
  const names = ['createConnection', 'closeSession', 'getStatus'];
  for (const name of [...names, 'getConversation', 'listClosedSessions', 'sendText']) {
    const { voice, clara } = served();
    voice.answers = { createConnection: () => 0, closeSession: () => 0, request: () => 0 };
    const calls = Array.from({ length: 2 * BURST }, () => clara[name]({}));
    const results = await Promise.allSettled(calls);
    const codes = new Set(results.map(({ reason }) => reason && reason.code));
    assert.ok(codes.has('BUSY'), `${name}: ${[...codes]}`);
  }
});

test('a budget fills again, up to its size, and each page has its own', () => {
  let ms = 0;
  const take = makeBudget(() => ms);
  const [first, second] = [{}, {}];
  const taken = (page) => {
    let count = 0;
    while (take(page)) count += 1;
    return count;
  };
  assert.equal(taken(first), BURST);
  ms += 2000;
  assert.equal(taken(first), 2 * PER_SECOND);
  assert.equal(taken(second), BURST);
  ms += 3_600_000;
  assert.equal(taken(first), BURST);
});
