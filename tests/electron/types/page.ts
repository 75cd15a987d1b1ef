// A sample of window.clara, compiled as a page's TypeScript; nothing here is run.

/// <reference types="clara-voice-bridge/preload" />

import type {
  AgentStatus,
  ClaraError,
  ClaraStatus,
  SessionsEvent,
} from 'clara-voice-bridge/preload';

export async function use(): Promise<void> {
  const { sessions, seq } = await window.clara.listSessions();
  sessions.map(({ name, connectionState }) => [name, connectionState, seq.toFixed()]);

  const stop = window.clara.onSessions((event: SessionsEvent) => {
    if (event.type === 'closed') event.reason.length;
    else if (event.type !== 'snapshot') event.session.messageCount.toFixed();
    event.sessions.length.toFixed();
  });
  stop();
  window.clara.onAgentState(({ state, processState, error, processError }: AgentStatus) => [
    state,
    processState,
    error?.fix,
    processError?.code,
  ])();

  const status: ClaraStatus = await window.clara.getStatus();
  [status.state, status.sessions, status.room?.length, status.lastError?.category].join();

  try {
    const { url, token } = await window.clara.createConnection({ name: 'Ada', ttlSeconds: 60 });
    [url, token].join();
    await window.clara.closeSession(sessions[0].sessionId);
  } catch (error) {
    const { name, code, message, data } = error as ClaraError;
    if (code === 'DENIED' || code === 1003) [name, message, data?.fix].join();
  }

  // What must not compile.

  // @ts-expect-error there is no such call
  window.clara.connect();
  // @ts-expect-error the page cannot replace it
  window.clara = undefined;
  // @ts-expect-error a page may not ask for more
  window.clara.createConnection({ roomAdmin: true });
  // @ts-expect-error without a reason there is no end
  const closed: SessionsEvent = { type: 'closed', session: sessions[0], sessions, seq };
  closed.seq;
}
