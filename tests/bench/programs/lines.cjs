'use strict';

/**
 * A sidecar that writes lines as fast, or as evenly, as the bench wants them. A line that is timed
 * carries its moment (process.hrtime, which all processes share on Linux) as the session's metadata.
 */

const { VERSION } = require('../../../electron-bridge/lib/protocol.cjs');

const FEW = 10;
let seq = 0;
let sessions = [];

const METHODS = {
  initialize: () => ({
    protocolVersion: 1,
    server: { name: 'clara-voice-sidecar', version: VERSION },
    pid: process.pid,
    epoch: 'lines',
  }),
  connect() {
    const capabilities = { createConnection: true, closeSession: true, reconcile: true };
    notify('agent-state-changed', { state: 'connected', previousState: 'idle', capabilities });
    return { state: 'connected' };
  },
  listSessions: () => ({ sessions, seq, epoch: 'lines' }),
  ping: () => 'pong',
  shutdown() {
    setImmediate(() => process.exit(0));
    return null;
  },
  /** Announces people until there are so many. */
  fill({ count }) {
    for (let number = sessions.length; number < count; number += 1) {
      const made = { ...session(number), connectionState: 'connecting' };
      notify('session-created', { session: made });
      sessions.push({ ...made, connectionState: 'connected' });
      notify('session-updated', { session: sessions[number], changed: ['connectionState'] });
    }
    return null;
  },
  /** Tells of so many changes, one after the other. */
  async paced({ count, everyMs }) {
    for (let number = 0; number < count; number += 1) {
      change(0, String(process.hrtime.bigint()));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    return null;
  },
  /** Tells of so many changes at once. */
  burst({ count }) {
    for (let number = 0; number < count; number += 1) change(number % FEW, String(number));
    return null;
  },
};

function change(number, metadata) {
  sessions[number] = { ...sessions[number], metadata };
  notify('session-updated', { session: sessions[number], changed: ['metadata'] });
}

function session(number) {
  return {
    sessionId: `session_1795409234722_p${number}`,
    participantId: `p${number}`,
    participantSid: `PA_p${number}`,
    roomName: 'bench',
    startTime: '2026-11-23T10:00:34.722Z',
    messageCount: 0,
    name: `Person ${number}`,
    kind: 'standard',
    metadata: '',
    attributes: { theme: 'dark' },
    connectionQuality: 'unknown',
  };
}

function notify(method, params) {
  seq += 1;
  send({ method, params: { ...params, seq, epoch: 'lines' } });
}

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const { id, method, params = {} } = JSON.parse(line);
    Promise.resolve(METHODS[method](params)).then((result) => send({ id, result }));
  }
});
process.stdin.on('end', () => process.exit(0));
