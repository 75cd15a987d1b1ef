'use strict';

// The bridge in CommonJS, checked by its JSDoc; nothing here is run.

const { app, ipcMain, session } = require('electron');
const { createSidecar, installPreload, RpcError, SidecarError } = require('clara-voice-bridge');

async function main() {
  const sidecar = createSidecar({
    electron: { app, ipcMain },
    connect: { url: 'wss://example.livekit.cloud', room: 'lobby', token: '…' },
  });
  sidecar.on('session-closed', ({ session: { participantId }, reason }) => {
    console.log(participantId.toUpperCase(), reason);
  });
  await app.whenReady();
  installPreload(session.defaultSession);
  try {
    await sidecar.start();
  } catch (error) {
    if (error instanceof SidecarError) console.error(error.code.toLowerCase());
    if (error instanceof RpcError) console.error(error.code.toFixed());
  }
  // @ts-expect-error there is no such event
  sidecar.on('closed', () => {});
}

module.exports = { main };
