'use strict';

/**
 * Measures the bridge in plain Node, and prints each sample as a line [figure, column, value].
 *
 *   node --expose-gc bridge.cjs require | events | heap | stop | crash
 *
 * SIDECAR (a command as JSON), CONNECT (the options of `connect` as JSON) and ROUNDS are for stop and
 * crash, which need the real sidecar.
 */

const path = require('path');
const { spawn } = require('child_process');
const { readFileSync } = require('fs');
const { performance } = require('perf_hooks');

const BRIDGE = path.join(__dirname, '../../../electron-bridge/index.cjs');
const LINES = path.join(__dirname, 'lines.cjs');
const EVENTS = { count: 300, everyMs: 2 };
const BURST = 100000;
const TOKEN_ALONE = { url: 'ws://127.0.0.1:1', room: 'r', token: 't' };
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };
const OFTEN = { max: 100, windowMs: 600000, delaysMs: [500] };

const say = (figure, column, value) => console.log(JSON.stringify([figure, column, value]));
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/** The bridge, with the bench's own child or the real sidecar. */
function bridge([command, ...args], connect = TOKEN_ALONE) {
  const { createSidecar } = require(BRIDGE);
  const options = { command, args, connect, restart: OFTEN };
  return createSidecar({ ...options, logger: QUIET, electron: false });
}

/** What the bridge does at the least: a child, lines, JSON. */
function plain(onMessage) {
  const child = spawn(process.execPath, [LINES], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map();
  let rest = '';
  let lastId = 0;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      if (message.id) waiting.get(message.id)(message.result);
      else onMessage(message);
    }
  });
  return {
    request(method, params) {
      lastId += 1;
      const id = lastId;
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
      return new Promise((resolve) => waiting.set(id, resolve));
    },
    stop: () => new Promise((resolve) => child.once('exit', resolve) && child.stdin.end()),
  };
}

const next = (sidecar, name, isIt) =>
  new Promise((resolve) => {
    const listener = (event) => {
      if (!isIt(event)) return;
      sidecar.off(name, listener);
      resolve(event);
    };
    sidecar.on(name, listener);
  });

/** The bridge and the plain reader, each with a child of its own, and who is told of a change. */
async function both(onChange) {
  const ours = bridge([process.execPath, LINES]);
  ours.on('session-updated', (event) => onChange('source', event));
  await ours.start();
  const floor = plain(({ method, params }) => {
    if (method === 'session-updated') onChange('floor', params);
  });
  for (const each of [floor, ours]) await each.request('fill', { count: 10 });
  return { source: ours, floor };
}

const MEASURES = {
  require() {
    const timed = (file) => {
      const before = performance.now();
      require(file);
      return performance.now() - before;
    };
    say('require', 'floor', timed('./empty.cjs'));
    say('require', 'source', timed(BRIDGE));
  },

  async events() {
    const took = { source: [], floor: [] };
    const sides = await both((column, { session }) => {
      const us = Number(process.hrtime.bigint() - BigInt(session.metadata || 0)) / 1000;
      if (session.metadata) took[column].push(us);
    });
    for (const side of ['floor', 'source']) {
      await sides[side].request('paced', EVENTS);
      say('line to event', side, median(took[side]));
    }
    await Promise.all([sides.floor.stop(), sides.source.stop()]);
  },

  async heap() {
    let left = 0;
    let onLast = null;
    const sides = await both(() => {
      left -= 1;
      if (left === 0) onLast();
    });
    for (const side of ['floor', 'source']) {
      left = 1000;
      await told(side, 1000); // what is made once
      const before = used();
      const began = performance.now();
      await told(side, BURST);
      const seconds = (performance.now() - began) / 1000;
      say('notifications', side, BURST / seconds);
      say('heap', side, Math.max(0, used() - before));
    }
    await Promise.all([sides.floor.stop(), sides.source.stop()]);

    function told(side, count) {
      left = count;
      const last = new Promise((resolve) => {
        onLast = resolve;
      });
      return Promise.all([last, sides[side].request('burst', { count })]);
    }

    /** KB in use once the garbage is away. */
    function used() {
      global.gc();
      return process.memoryUsage().heapUsed / 1000;
    }
  },

  async stop() {
    const ours = real();
    for (let round = 0; round < Number(process.env.ROUNDS); round += 1) {
      const joined = next(ours, 'agent-state-changed', ({ state }) => state === 'connected');
      await ours.start();
      await joined;
      const began = performance.now();
      await ours.stop();
      say('stop', process.env.COLUMN, performance.now() - began);
    }
  },

  async crash() {
    const ours = real();
    const isIn = ({ session }) => session.connectionState === 'connected';
    let restored = next(ours, 'session-updated', isIn);
    await ours.start();
    await restored;
    for (let round = 0; round < Number(process.env.ROUNDS); round += 1) {
      restored = next(ours, 'session-updated', isIn);
      const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ');
      const began = performance.now();
      process.kill(Number(children[0]), 'SIGKILL');
      await restored;
      say('crash', process.env.COLUMN, performance.now() - began);
    }
    await ours.stop();
  },
};

const real = () => bridge(JSON.parse(process.env.SIDECAR), JSON.parse(process.env.CONNECT));

Promise.resolve(MEASURES[process.argv[2]]()).catch((error) => {
  console.error(error);
  process.exit(1);
});
