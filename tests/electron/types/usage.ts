// A sample of every public name, compiled against Electron's own types; nothing here is run.

import { app, autoUpdater, ipcMain, powerMonitor, session as electronSession } from 'electron';
import {
  createSidecar,
  installPreload,
  preloadPath,
  RpcError,
  SidecarError,
} from 'clara-voice-bridge';
import type {
  AccessToken,
  AgentSession,
  CloseReason,
  Sidecar,
  SidecarOptions,
} from 'clara-voice-bridge';

const options: SidecarOptions = {
  electron: { app, autoUpdater, ipcMain, powerMonitor, session: electronSession },
  allowedOrigins: ['app://main'],
  connect: { url: 'wss://example.livekit.cloud', room: 'lobby', token: '…' },
  command: '/opt/sidecar/sidecar',
  args: [],
  cwd: '/',
  env: process.env,
  logger: console,
  startTimeoutMs: 60_000,
  requestTimeoutMs: 10_000,
  restart: { max: 5, windowMs: 60_000, delaysMs: [100, 1000] },
};

/** The way without a secret in the app. */
const withoutSecret: SidecarOptions = {
  electron: { app },
  connect: {
    url: 'wss://example.livekit.cloud',
    room: 'lobby',
    join: 'needed',
    leaveAfterMs: 20_000,
  },
  proxy: 'system',
  requireSingleInstanceLock: true,
  getToken: async ({ purpose, room, identity, name, grants }) => {
    const body = JSON.stringify({ purpose, room, identity, name, grants });
    const response = await fetch('https://example.com/token', { method: 'POST', body });
    return (await response.json()) as AccessToken;
  },
};
createSidecar(withoutSecret);
createSidecar({ ...withoutSecret, proxy: 'http://proxy:3128', getToken: () => ({ token: '' }) });

export async function use(): Promise<void> {
  const sidecar: Sidecar = createSidecar(options);
  installPreload(electronSession.defaultSession);
  sidecar.installPreload(electronSession.defaultSession);
  [preloadPath, sidecar.preloadPath].join();

  sidecar
    .on('session-created', ({ session, seq }) => takeSession(session, seq))
    .on('session-updated', ({ session, changed }) => takeSession(session, changed.length))
    .on('session-closed', ({ reason }) => takeReason(reason))
    .on('agent-state-changed', ({ state, retryInMs }) => [state, retryInMs])
    .on('process-state', ({ state, previousState, error }) => [state, previousState, error?.code])
    .on('log', ({ level, message, logger, time }) => [level, message, logger, time])
    .on('exit', ({ code, signal, stderrTail, willRestart }) => [
      code,
      signal,
      stderrTail.join(),
      willRestart,
    ]);
  const listener = () => {};
  sidecar.on('exit', listener).off('exit', listener);

  try {
    await sidecar.start();
    const { sessions } = await sidecar.listSessions();
    sidecar.sessions.forEach(({ startTime }) => startTime.length);
    const session = await sidecar.request('getSession', { sessionId: sessions[0].sessionId });
    takeSession(session, 1);
    const pong: 'pong' = await sidecar.request('ping', undefined, {
      timeoutMs: 1000,
      signal: new AbortController().signal,
    });
    pong.length;
  } catch (error) {
    if (error instanceof RpcError) [error.code.toFixed(), error.data?.fix];
    if (error instanceof SidecarError && error.code === 'EXITED') error.stderrTail?.join();
    if (error instanceof SidecarError && error.code === 'CRASH_LOOP') await sidecar.start();
  }
  if (sidecar.processState === 'ready' && sidecar.agentState === 'connected') await sidecar.stop();

  const never: SidecarOptions = { ...options, restart: false };
  const again = createSidecar(never);
  if (again.processState === 'backoff') await again.dispose();

  // What must not compile.

  // @ts-expect-error there is no such event
  sidecar.on('error', () => {});
  // @ts-expect-error there is no such method
  sidecar.request('listSession');
  // @ts-expect-error the parameter has another name
  sidecar.request('getSession', { id: 'x' });
  // @ts-expect-error it is set by the bridge alone
  sidecar.processState = 'idle';
  // @ts-expect-error there is no such code
  new SidecarError().code === 'CRASHED';
  // @ts-expect-error `connect` is required
  createSidecar({});
  // @ts-expect-error the token is missing
  createSidecar({ ...options, getToken: async () => ({ url: '' }) });
}

declare function takeSession(session: AgentSession, count: number): void;
declare function takeReason(reason: CloseReason): void;
