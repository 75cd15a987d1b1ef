'use strict';

const { app, BrowserWindow, session } = require('electron');
const { createSidecar, installPreload } = require('clara-voice-bridge');

const { LIVEKIT_URL: url, LIVEKIT_ROOM: room } = process.env;
// For development: an app that you ship has no secret, and gives `getToken` instead.
const { LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = process.env;

const sidecar = createSidecar({ connect: { url, room, apiKey, apiSecret } });
sidecar.on('session-created', ({ session }) => console.log('joined:', session.participantId));
sidecar.on('session-closed', ({ session, reason }) => {
  console.log('left:', session.participantId, reason);
});

app.whenReady().then(() => {
  installPreload(session.defaultSession); // gives the page `window.clara`
  const window = new BrowserWindow({ webPreferences: { contextIsolation: true, sandbox: true } });
  window.loadFile('index.html');
  // Rejects only when the sidecar cannot run; the page says so, too.
  sidecar.start().catch((error) => console.error(error.message));
});
app.on('window-all-closed', () => app.quit());
