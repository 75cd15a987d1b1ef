'use strict';

/**
 * The bridge's line splitter and RPC client, fed by bridge.py: one case a line of stdin, as JSON
 * {maxBytes, chunks: base64[], requests}, and one line of stdout with what came of it.
 */

const path = require('path');

const bridge = path.join(__dirname, '..', '..', 'electron-bridge', 'lib');
const { rpcClient } = require(path.join(bridge, 'rpc', 'client.cjs'));
const { splitLines } = require(path.join(bridge, 'rpc', 'line-splitter.cjs'));

/** Milliseconds; no request of a case comes near it. */
const timeoutMs = 60 * 1000;

async function play({ maxBytes, chunks, requests }) {
  const seen = { lines: [], oversized: 0, settled: [], notifications: 0, odd: 0, answered: [] };
  const client = rpcClient({
    write: (frame, done) => {
      const message = JSON.parse(frame);
      if (message.method === undefined) seen.answered.push(JSON.stringify(message.id));
      done();
    },
    onNotification: () => (seen.notifications += 1),
    onOddLine: () => (seen.odd += 1),
    deadlines: { set: () => ({}), clear: () => {} },
    answers: {
      getToken: async (params) => ({ token: 't', params }),
      resolveProxy: async () => {
        throw new Error('no proxy');
      },
    },
  });
  client.release();
  for (let number = 1; number <= requests; number += 1) {
    client.request('ping', undefined, { timeoutMs }).then(
      () => seen.settled.push([number, 'result']),
      (error) => seen.settled.push([number, error.name === 'RpcError' ? 'error' : 'end']),
    );
  }
  const splitter = splitLines({
    maxBytes,
    onLine: (line) => {
      seen.lines.push(line);
      client.handleLine(line);
    },
    onOversize: () => (seen.oversized += 1),
  });
  for (const chunk of chunks) splitter.push(Buffer.from(chunk, 'base64'));
  splitter.end();
  await new Promise(setImmediate);
  client.rejectAll(() => new Error('end'));
  await new Promise(setImmediate);
  return seen;
}

async function serve() {
  let rest = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      process.stdout.write(`${JSON.stringify(await play(JSON.parse(line)))}\n`);
    }
  }
}

serve();
