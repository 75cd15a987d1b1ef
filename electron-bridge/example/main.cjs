'use strict';

/**
 * An Electron app with one window. It shows the people in a LiveKit room, and its user can join
 * them. settings.cjs says how to start it.
 */

const path = require('path');
const { pathToFileURL } = require('url');
const { app, BrowserWindow, ipcMain, session, systemPreferences } = require('electron');
// In an app: require('clara-voice-bridge').
const { createSidecar, installPreload } = require('../index.cjs');
const { allowMicrophone } = require('./microphone.cjs');
const { settingsFrom } = require('./settings.cjs');

const PAGE = path.join(__dirname, 'index.html');

/** @param {Electron.WebContents | null} contents */
const isOurPage = (contents) =>
  contents !== null && contents.getURL().split(/[?#]/)[0] === pathToFileURL(PAGE).href;

function openWindow() {
  const window = new BrowserWindow({
    width: 1080,
    height: 720,
    minWidth: 480,
    minHeight: 480,
    webPreferences: {
      preload: path.join(__dirname, 'preload.cjs'),
      contextIsolation: true,
      sandbox: true,
      // People are heard as soon as they speak, and while another window is in front.
      autoplayPolicy: 'no-user-gesture-required',
      backgroundThrottling: false,
    },
  });
  // The window shows this page only: a link neither replaces it nor opens another window.
  window.webContents.on('will-navigate', (event) => event.preventDefault());
  // Electron 9, which the tests run, has no such method.
  if (window.webContents.setWindowOpenHandler) {
    window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
  }
  window.loadFile(PAGE).catch((error) => console.error(error.message));
}

async function main() {
  const sidecar = createSidecar(settingsFrom(process.env));
  const show = () => {
    const people = sidecar.sessions.map(({ participantId }) => participantId);
    console.log('Sessions:', JSON.stringify(people));
  };
  sidecar.on('session-created', show);
  sidecar.on('session-closed', show);
  ipcMain.handle('app:try-again', async ({ sender }) => {
    if (!isOurPage(sender)) throw new Error('Only the app may ask.');
    if (sidecar.processState !== 'ready') return sidecar.start();
    // An agent that gave up, or was told to leave, needs connect(). Otherwise end its wait.
    const isOut = ['failed', 'idle'].includes(sidecar.agentState);
    return isOut ? sidecar.connect() : sidecar.wake();
  });

  await app.whenReady();
  installPreload(session.defaultSession);
  allowMicrophone(session.defaultSession, systemPreferences, isOurPage);
  openWindow();
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) openWindow();
  });
  // The window shows the error and goes on without voice.
  await sidecar.start().catch((error) => console.error(error.message));
}

app.on('window-all-closed', () => app.quit());
main().catch((error) => {
  console.error(error.message);
  app.exit(1);
});
