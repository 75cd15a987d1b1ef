'use strict';

/**
 * A minimal app: it joins a LiveKit room and shows how many people are in it.
 *
 *   LIVEKIT_URL=... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... LIVEKIT_ROOM=... npx electron .
 *
 * Secrets from the environment are for development alone.
 */

const path = require('path');
const { app, BrowserWindow } = require('electron');
const { createSidecar } = require('../index.cjs'); // in an app: require('clara-voice-bridge')

async function main() {
  const { LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET, LIVEKIT_ROOM } = process.env;
  const sidecar = createSidecar({
    electron: { app },
    connect: {
      url: LIVEKIT_URL,
      apiKey: LIVEKIT_API_KEY,
      apiSecret: LIVEKIT_API_SECRET,
      room: LIVEKIT_ROOM,
    },
  });

  await app.whenReady();
  const window = new BrowserWindow({ width: 480, height: 240 });
  await window.loadFile(path.join(__dirname, 'index.html'));

  const show = async () => {
    if (sidecar.processState !== 'ready') return; // the sessions that close when the app quits
    const { sessions } = await sidecar.listSessions();
    window.setTitle(`${sessions.length} in the room`);
    console.log('Sessions:', JSON.stringify(sessions.map(({ participantId }) => participantId)));
  };
  sidecar.on('session-created', show);
  sidecar.on('session-closed', show);
  await sidecar.start();
}

main().catch((error) => {
  console.error(error);
  app.exit(1);
});
