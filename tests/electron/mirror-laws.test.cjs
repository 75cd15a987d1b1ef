'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Mirror } = require('../../electron-bridge/lib/sessions/mirror.cjs');
const { MAX_LINE_BYTES } = require('../../electron-bridge/lib/protocol.cjs');
const { Listener, Room, SidecarModel, seeded } = require('./fixtures/mirror-model.cjs');
const { session } = require('./fixtures/scripted.cjs');

const ROUNDS = Number(process.env.MIRROR_ROUNDS || 300);
const STEPS = 120;

/** One life of a Sidecar object: whatever happens to rooms, pipes and processes, by one seed. */
function live(seed) {
  const random = seeded(seed);
  const room = new Room(random);
  const deadlines = { set: () => ({ leftMs: 60_000 }), clear: () => {} };
  const mirror = new Mirror('m', () => 1767225700000, deadlines);
  const listener = new Listener();
  let sidecar = null;

  const hear = (events) => listener.hear(events);
  const deliver = (count) => {
    for (const { method, params, listing, onPages } of sidecar.pipe.splice(0, count)) {
      if (listing !== undefined) {
        hear(mirror.takeListing(listing, onPages));
        if (listing.next !== undefined) sidecar.list(listing.next, onPages);
      } else hear(mirror.take(method, params));
      if (mirror.isBehind && !sidecar.isAsked) sidecar.list();
    }
  };
  const begin = () => {
    sidecar = new SidecarModel(room, random, mirror.begin());
  };
  const gone = () => {
    deliver(random(sidecar.pipe.length + 1)); // the rest is lost with the process
    sidecar = null;
  };

  const STEPS_OF_A_LIFE = {
    join: () => room.join(),
    leave: () => room.leave(),
    change: () => room.change(),
    start: () => sidecar || begin(),
    speak: () => sidecar && sidecar.look(),
    state: () => sidecar && sidecar.agent(),
    tomorrow: () => sidecar && sidecar.say('of-tomorrow', {}),
    hear: () => sidecar && deliver(1 + random(5)),
    lose: () => sidecar && sidecar.pipe.splice(random(sidecar.pipe.length + 1), 1 + random(3)),
    repeat: () => {
      const said = sidecar && sidecar.pipe[random(sidecar.pipe.length + 1)];
      if (said && said.params) sidecar.pipe.push(said);
    },
    list: () => sidecar && sidecar.list(),
    drain: () => sidecar && sidecar.drain(),
    crash: () => {
      if (sidecar === null) return;
      gone();
      hear(mirror.crashed());
    },
    giveUp: () => {
      if (sidecar === null) return;
      gone();
      hear(mirror.ended('sidecar-exited'));
    },
    refuse: () => {
      if (sidecar !== null) return;
      mirror.begin();
      hear(mirror.resumeRefused());
      begin();
    },
    stop: () => {
      if (sidecar === null) return hear(mirror.ended('sidecar-stopped'));
      hear(mirror.stopAsked());
      if (random(2)) sidecar.drain();
      gone();
      hear(mirror.ended('sidecar-stopped'));
    },
  };
  const names = Object.keys(STEPS_OF_A_LIFE);
  for (let step = 0; step < STEPS; step += 1) {
    // What a session's life is made of comes more often than what ends it.
    const name = random(3) ? names[random(11)] : names[random(names.length)];
    STEPS_OF_A_LIFE[name]();
  }
  return { room, mirror, listener, sidecar, begin, deliver, model: () => sidecar };
}

test('whatever happens, each session is created once and closed once, in order', () => {
  for (let seed = 1; seed <= ROUNDS; seed += 1) {
    try {
      const { mirror, listener } = live(seed);
      listener.hear(mirror.ended('sidecar-stopped'));
      assert.equal(listener.open.size, 0, 'all are closed at the end');
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});

test('what was lost is made up for: in the end the app knows exactly who is there', () => {
  for (let seed = 1; seed <= ROUNDS; seed += 1) {
    const { room, listener, mirror, begin, deliver, model } = live(seed);
    if (model() !== null && model().isDraining) {
      listener.hear(mirror.crashed());
      begin();
    } else if (model() === null) begin();
    model().look();
    model().list();
    while (model().pipe.length > 0) deliver(1);
    const present = [...room.people.values()].map(({ sid }) => sid).sort();
    const told = [...listener.open.values()].map(({ participantSid }) => participantSid).sort();
    assert.deepEqual(told, present, `seed ${seed}`);
  }
});

test('sessions that are too large for one line are handed over without their texts', () => {
  const mirror = new Mirror('m', () => 1767225700000, { set: () => ({}) });
  mirror.begin();
  const COUNT = 1000;
  for (let number = 1; number <= COUNT; number += 1) {
    const session = {
      sessionId: `session_1_${number}`,
      participantId: `p${number}`,
      participantSid: `PA_${number}`,
      roomName: 'r',
      startTime: '2026-01-01T00:00:00.000Z',
      messageCount: 3,
      connectionState: 'connecting',
      name: 'N',
      kind: 'standard',
      metadata: '"'.repeat(16 * 1024),
      attributes: {},
      connectionQuality: 'unknown',
    };
    mirror.take('session-created', { session, seq: number, epoch: 'e' });
  }
  mirror.crashed();
  const { resume } = mirror.begin();
  assert.ok(Buffer.byteLength(JSON.stringify(resume)) < MAX_LINE_BYTES);
  assert.equal(resume.length, COUNT);
  assert.equal(resume[0].metadata.length, 16 * 1024);
  assert.deepEqual(resume[COUNT - 1], {
    sessionId: `session_1_${COUNT}`,
    participantId: `p${COUNT}`,
    participantSid: `PA_${COUNT}`,
    roomName: 'r',
    startTime: '2026-01-01T00:00:00.000Z',
    messageCount: 3,
  });
});

test('whole sessions are handed over up to 8 MiB, to the byte', () => {
  for (const [excess, isWhole] of [
    [0, true],
    [1, false],
  ]) {
    const mirror = new Mirror('m', () => 1767225700000, { set: () => ({}) });
    mirror.begin();
    const bare = session('alice', { connectionState: 'reconnecting' });
    const metadata = 'x'.repeat(8 * 1024 * 1024 - JSON.stringify(bare).length + excess);
    mirror.take('session-created', { session: { ...bare, metadata }, seq: 1, epoch: 'e' });
    const [resumed] = mirror.begin().resume;
    assert.equal('metadata' in resumed, isWhole);
  }
});

test('a session that a listing lacks is replaced where its identity has another one', () => {
  const mirror = new Mirror('m', () => 1767225700000, { set: () => ({}), clear: () => {} });
  mirror.begin();
  mirror.take('agent-state-changed', { state: 'connected', seq: 1, epoch: 'e' });
  for (const [seq, identity] of [
    [2, 'alice'],
    [3, 'bob'],
  ]) {
    mirror.take('session-created', { session: session(identity), seq, epoch: 'e' });
  }
  const back = session('alice', { sessionId: 'session_2_alice', participantSid: 'PA_2' });
  const told = mirror.takeListing({ sessions: [back], seq: 6, epoch: 'e' });
  const closes = told.filter(({ name }) => name === 'session-closed');
  assert.deepEqual(
    closes.map(({ event }) => [event.session.participantId, event.reason, event.detail]),
    [
      ['alice', 'replaced', 'reconcile'],
      ['bob', 'left', 'reconcile'],
    ],
  );
});
