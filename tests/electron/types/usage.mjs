// The bridge in an ES module, checked by its JSDoc; nothing here is run.

import { app, ipcMain, session } from 'electron';
import { createSidecar, preloadPath, SidecarError } from 'clara-voice-bridge';

const sidecar = createSidecar({
  electron: { app, ipcMain },
  connect: { url: 'wss://example.livekit.cloud', room: 'lobby', token: '…' },
});
sidecar.installPreload(session.defaultSession);
try {
  await sidecar.start();
  const [first] = sidecar.sessions;
  console.log(preloadPath.length, first.participantId.toUpperCase());
} catch (error) {
  if (error instanceof SidecarError) console.error(error.code.toLowerCase());
}
// @ts-expect-error it has no such option
createSidecar({ connect: { url: 'wss://example.livekit.cloud', room: 'lobby' }, retries: 3 });
