'use strict';

/**
 * A main process without Electron, for the soak: it holds one bridge and says over its own stdio,
 * as JSON-RPC lines, what a consumer of the bridge sees. Knows neither people nor faults.
 *
 * Methods: `start` {options of createSidecar()}, `stop`, `listSessions`, `closeSession`
 * {sessionId}, `resources` (of this process; with `--expose-gc` after a collection); any other is
 * asked of the sidecar. Notifications: the bridge's events by their names. With the argument
 * `--leak` it leaves a listener behind for each session, which the soak must see.
 */

const { createSidecar } = require('../../electron-bridge/index.cjs');
const { splitLines } = require('../../electron-bridge/lib/rpc/line-splitter.cjs');

const EVENTS = [
  'session-created',
  'session-updated',
  'session-closed',
  'agent-state-changed',
  'process-state',
  'log',
  'exit',
];
const MAX_BYTES = 16 * 1024 * 1024;

let sidecar;

const say = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

const METHODS = {
  async start(options) {
    if (sidecar === undefined) {
      const silent = () => {}; // the log comes as events
      sidecar = createSidecar({
        ...options,
        logger: { debug: silent, info: silent, warn: silent, error: silent },
      });
      for (const name of EVENTS) sidecar.on(name, (params) => say({ method: name, params }));
      if (process.argv.includes('--leak')) {
        process.setMaxListeners(0);
        sidecar.on('session-created', () => process.on('message', () => {}));
      }
    }
    await sidecar.start();
    return null;
  },
  async stop() {
    await sidecar.stop();
    return null;
  },
  listSessions: () => sidecar.listSessions(),
  closeSession: ({ sessionId }) => sidecar.closeSession(sessionId),
  resources() {
    if (global.gc) global.gc();
    const handles = process._getActiveHandles();
    const listeners = [process, ...handles].reduce(
      (sum, each) =>
        sum + each.eventNames().reduce((count, name) => count + each.listenerCount(name), 0),
      0,
    );
    const heap = process.memoryUsage().heapUsed / 1024 / 1024;
    return { heap, listeners, handles: handles.length };
  },
};

async function answer(line) {
  const { id, method, params } = JSON.parse(line);
  try {
    const act = METHODS[method];
    const result = await (act ? act(params) : sidecar.request(method, params));
    say({ id, result });
  } catch (error) {
    const code = Number.isInteger(error.code) ? error.code : -32000;
    say({ id, error: { code, message: `${error.code}: ${error.message}` } });
  }
}

const lines = splitLines({ maxBytes: MAX_BYTES, onLine: answer, onOversize: () => {} });
process.stdin.on('data', (chunk) => lines.push(chunk));
process.stdin.on('end', async () => {
  if (sidecar !== undefined) await sidecar.stop();
  process.exit(0);
});
