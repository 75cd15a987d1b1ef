'use strict';

/** Events of voice plug-ins: told as they came, and the words in them survive a crash. */

const assert = require('assert');
const { test } = require('node:test');

const { Mirror } = require('../../electron-bridge/lib/sessions/mirror.cjs');

const NO_DEADLINES = { set: () => ({ leftMs: 0 }), clear: () => {} };
const SESSION = {
  sessionId: 'session_1_anna',
  participantId: 'anna',
  participantSid: 'PA_1',
  roomName: 'r',
  startTime: '2026-01-01T00:00:00.000Z',
  messageCount: 0,
};

function mirrorWithAnna() {
  const mirror = new Mirror('m', () => 0, NO_DEADLINES);
  mirror.begin();
  mirror.take('session-created', { session: SESSION, seq: 1, epoch: 'e' });
  return mirror;
}

function words(number, text, more = {}) {
  const timestamp = '2026-01-01T00:00:01.000Z';
  const content = { role: 'user', text, final: true, segment: 'S', number, timestamp, ...more };
  return { sessionId: SESSION.sessionId, name: 'transcript', content, number, epoch: 'e' };
}

test('an event of a plug-in is told as it came, and takes no seq', () => {
  const mirror = mirrorWithAnna();
  const event = words(1, 'hello');
  assert.deepStrictEqual(mirror.take('session-event', event), [{ name: 'session-event', event }]);
  const [closed] = mirror.take('session-closed', {
    session: SESSION,
    reason: 'left',
    seq: 2,
    epoch: 'e',
  });
  assert.strictEqual(closed.event.seq, 2);
  assert.strictEqual(mirror.isBehind, false);
});

test('an event of a session that is not open is not told', () => {
  const mirror = mirrorWithAnna();
  const stray = { ...words(1, 'hello'), sessionId: 'session_1_ben' };
  assert.deepStrictEqual(mirror.take('session-event', stray), []);
});

test('the next process gets the final words of an open session, an interrupted message once', () => {
  const mirror = mirrorWithAnna();
  mirror.take('session-event', words(undefined, 'hel', { final: false }));
  mirror.take('session-event', words(1, 'hello'));
  mirror.take('session-event', words(2, 'a long answer', { role: 'assistant' }));
  const heard = { role: 'assistant', interrupted: true };
  mirror.take('session-event', words(2, 'a long', heard));
  mirror.crashed();
  const timestamp = '2026-01-01T00:00:01.000Z';
  assert.deepStrictEqual(mirror.begin().resume[0].conversation, [
    { number: 1, role: 'user', content: 'hello', timestamp },
    { number: 2, role: 'assistant', content: 'a long', timestamp, interrupted: true },
  ]);
});

test('at most 64 KiB of a conversation are handed over, the newest messages', () => {
  const mirror = mirrorWithAnna();
  for (let number = 1; number <= 100; number += 1) {
    mirror.take('session-event', words(number, 'x'.repeat(1000)));
  }
  mirror.crashed();
  const { conversation } = mirror.begin().resume[0];
  assert.ok(Buffer.byteLength(JSON.stringify(conversation)) <= 64 * 1024);
  assert.strictEqual(conversation[conversation.length - 1].number, 100);
  assert.ok(conversation.length > 50);
});
