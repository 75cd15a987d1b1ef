/**
 * What a page sees of the voice sessions: `window.clara`. In a page's TypeScript:
 *
 *   /// <reference types="clara-voice-bridge/preload" />
 *
 * Every failure rejects with a `ClaraError`, a plain object: an Error would arrive without its
 * members.
 */

import type { ProcessState, SidecarErrorCode } from './index';
import type {
  AgentSession,
  AgentState,
  AgentStateChanged,
  CloseReason,
  ConnectionDetails,
  ConnectionParams,
  Failure,
  Status,
} from './protocol';

export * from './protocol';

declare global {
  interface Window {
    readonly clara: Clara;
  }
}

export interface Clara {
  /** The open sessions as the main process has them; never waits for the sidecar. */
  listSessions(): Promise<SessionsSnapshot>;
  /**
   * Calls back with a `snapshot`, then with every change behind it, once each and in order.
   * Before the app has made its sidecar, the snapshot waits for it.
   *
   * @returns a function that ends it
   */
  onSessions(callback: (event: SessionsEvent) => void): () => void;
  /** How voice is doing, also while no sidecar runs. */
  getStatus(): Promise<ClaraStatus>;
  /** Calls back with the status now, then whenever the agent's or the process's state changes. */
  onAgentState(callback: (status: AgentStatus) => void): () => void;
  /** What livekit-client needs to bring this page into the agent's room. */
  createConnection(options?: ConnectionParams): Promise<ConnectionDetails>;
  /** Removes that person from the room; gives the session as it was at its end. */
  closeSession(sessionId: string): Promise<AgentSession>;
}

export interface SessionsSnapshot {
  /** Oldest announcement first. */
  sessions: AgentSession[];
  /** Of the last event this list includes; goes up as long as the app runs. */
  seq: number;
}

/**
 * `sessions` is the whole list after the event; `session` the one that it is about. `seq` goes up
 * with each event; other events of the bridge count too, so that it may skip numbers.
 */
export type SessionsEvent =
  | { type: 'snapshot'; sessions: AgentSession[]; session?: undefined; seq: number }
  | (SessionsChange & { sessions: AgentSession[] });

export type SessionsChange =
  | { type: 'created' | 'updated'; session: AgentSession; reason?: undefined; seq: number }
  | { type: 'closed'; session: AgentSession; reason: CloseReason; seq: number };

export interface AgentStatus
  extends
    Pick<AgentStateChanged, 'reason' | 'attempt' | 'retryInMs'>,
    Partial<Pick<AgentStateChanged, 'previousState' | 'capabilities'>> {
  /** `idle` while no sidecar runs. */
  state: AgentState;
  /** `ready` is the one in which there is a sidecar to ask. */
  processState: ProcessState;
  /** The room that the agent is in or wants to be in. */
  room?: string;
  /** Why the last attempt to join failed; there until the agent is in the room. */
  error?: Failure;
  /** Why there is no sidecar. */
  processError?: { code: SidecarErrorCode; message: string };
}

/**
 * The sidecar's own status where there is one to ask (`processState` is `ready`), and in any case
 * what is required here. `sessions` and `seq` are those of listSessions().
 */
export interface ClaraStatus
  extends
    Partial<Omit<Status, 'epoch' | 'state' | 'sessions' | 'seq'>>,
    Omit<AgentStatus, 'error' | 'attempt' | 'capabilities' | 'room'> {
  sessions: number;
  seq: number;
}

/** Frozen where it is made; the page has a copy of it. */
export interface ClaraError {
  readonly name: 'RpcError' | 'SidecarError' | 'ClaraError';
  /**
   * Of an RpcError the protocol's number; of a SidecarError its code; of a ClaraError: `DENIED`, the
   * page or frame may not call; `INVALID_ARGUMENT`; `NO_SIDECAR`, the app has made none;
   * `UNEXPECTED`, the app's own code failed, its getToken for one.
   */
  readonly code:
    number | SidecarErrorCode | 'DENIED' | 'INVALID_ARGUMENT' | 'NO_SIDECAR' | 'UNEXPECTED';
  readonly message: string;
  /** `fix` says what to do. */
  readonly data?: { readonly fix?: string; readonly [key: string]: unknown };
}
