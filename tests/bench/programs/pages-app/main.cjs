'use strict';

/**
 * Measures what a page gets, in a real Electron, and prints each sample as [figure, column, value].
 * The floor is Electron's own IPC with the same event. Each way is there and back: the page answers.
 *
 *   BRIDGE, NODE, LINES: the bridge's index.cjs, the program and the argument of its child
 *   ROUNDS: how many samples
 */

const path = require('path');
const { app, BrowserWindow, ipcMain, powerMonitor, session } = require('electron');
const { createSidecar, installPreload } = require(process.env.BRIDGE);

const { NODE, LINES, ROUNDS } = process.env;
const EVENTS = 100;
const FLOOD = 300;
const CROWD = 1000;
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

process.on('uncaughtException', (error) => {
  console.error(error.stack);
  app.exit(1);
});

const say = (figure, column, value) => console.log(JSON.stringify([figure, column, value]));
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** Waits until the page of *column* has said so often that it has what *what* names. */
const answered = (column, what, times = 1) =>
  new Promise((resolve) => {
    let left = times;
    const listener = (_, from, got) => {
      if (from !== column || got !== what) return;
      left -= 1;
      if (left > 0) return;
      ipcMain.removeListener('got', listener);
      resolve(nowMs());
    };
    ipcMain.on('got', listener);
  });

const sidecar = createSidecar({
  command: NODE,
  args: [LINES],
  connect: { url: 'ws://127.0.0.1:1', room: 'r', token: 't' },
  logger: QUIET,
  electron: { app, ipcMain, powerMonitor, session },
});

async function open(column) {
  const window = new BrowserWindow({
    webPreferences: {
      contextIsolation: true,
      sandbox: true,
      preload: path.join(__dirname, 'floor-preload.cjs'),
    },
  });
  const ready = answered(column, 'the list');
  await window.loadFile(path.join(__dirname, 'index.html'), { query: { column } });
  await ready;
  return window.webContents;
}

async function main() {
  installPreload(session.defaultSession);
  await sidecar.start();
  let list = [];
  ipcMain.handle('floor:list', () => list);
  const ours = await open('source');
  const floor = await open('floor');
  await sidecar.request('fill', { count: 1 });
  for (let round = 0; round < ROUNDS; round += 1) {
    const took = { source: [], floor: [] };
    for (let number = 0; number < EVENTS; number += 1) {
      const told = new Promise((resolve) => sidecar.once('session-updated', resolve));
      let back = answered('source', 'a change');
      sidecar.request('paced', { count: 1, everyMs: 0 });
      const event = await told;
      let began = nowMs();
      took.source.push((await back) - began);
      back = answered('floor', 'a change');
      began = nowMs();
      floor.send('floor', { type: 'updated', ...event });
      took.floor.push((await back) - began);
    }
    for (const column of ['floor', 'source']) say('event to page', column, median(took[column]));
  }
  const changes = 2 * (FLOOD - 1); // created, then connected
  let got = answered('source', 'a change', changes);
  let began = nowMs();
  sidecar.request('fill', { count: FLOOD });
  say('page flood', 'source', (await got) - began);
  got = answered('floor', 'a change', changes);
  began = nowMs();
  for (let number = 0; number < changes; number += 1) {
    floor.send('floor', { type: 'updated', session: sidecar.sessions[0] });
  }
  say('page flood', 'floor', (await got) - began);
  ours.destroy();
  await sidecar.request('fill', { count: CROWD });
  list = sidecar.sessions;
  const pages = { floor, source: await open('source') };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const column of ['floor', 'source']) {
      const got = answered(column, 'the list');
      const began = nowMs();
      pages[column].reload();
      say('page reload', column, (await got) - began);
    }
  }
  await sidecar.stop();
  app.exit(0);
}

app.on('window-all-closed', () => {}); // one is closed on the way
app.whenReady().then(main);
