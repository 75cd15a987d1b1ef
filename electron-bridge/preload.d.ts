/**
 * Types of `window.clara`, through which a page follows the voice sessions. In a page's TypeScript:
 *
 *   /// <reference types="clara-voice-bridge/preload" />
 *
 * Every failure rejects with a `ClaraError`. It is a plain object, because contextBridge strips the
 * custom properties of an Error.
 */

import type { ProcessState, SidecarErrorCode } from './index';
import type {
  AgentSession,
  AgentState,
  AgentStateChanged,
  CloseReason,
  ClosedSessionList,
  ClosedSessionsParams,
  ConnectionDetails,
  ConnectionParams,
  ConversationPage,
  ConversationParams,
  Failure,
  Health,
  SendTextParams,
  SessionEvent,
  Status,
} from './protocol';

export * from './protocol';

declare global {
  interface Window {
    readonly clara: Clara;
  }
}

export interface Clara {
  /** Gives the open sessions that the main process knows. Never waits for the sidecar. */
  listSessions(): Promise<SessionsSnapshot>;
  /**
   * Calls back with a `snapshot`, then with every later change, once each and in order. The
   * snapshot comes as soon as the app has made its sidecar.
   *
   * @returns a function that ends the calls
   */
  onSessions(callback: (event: SessionsEvent) => void): () => void;
  /** Gives the state of voice, also while no sidecar runs. */
  getStatus(): Promise<ClaraStatus>;
  /**
   * Calls back with the status now, then with each change of the agent's or the process's state.
   */
  onAgentState(callback: (status: AgentStatus) => void): () => void;
  /**
   * Calls back with each event of a voice plug-in, `transcript` and `failed` among them. Events from
   * before the call do not come; getConversation() has the earlier words.
   *
   * @returns a function that ends the calls
   */
  onSessionEvent(callback: (event: SessionEvent) => void): () => void;
  /** Calls back every 30 s with the health of the sidecar, while it has a voice plug-in. */
  onHealth(callback: (health: Health) => void): () => void;
  /** Gives the words that the voice plug-in kept of an open session. */
  getConversation(params: ConversationParams): Promise<ConversationPage>;
  /** Gives the last 256 closed sessions of the sidecar's process. */
  listClosedSessions(params?: ClosedSessionsParams): Promise<ClosedSessionList>;
  /** Sends a text to one person; needs a voice plug-in with TEXT. */
  sendText(params: SendTextParams): Promise<null>;
  /**
   * Gives livekit-client's url and token, with which this page joins the agent's room. An identity
   * that a participant in the room has is refused (1008), unless a page got it from this sidecar.
   */
  createConnection(options?: Omit<ConnectionParams, 'replace'>): Promise<ConnectionDetails>;
  /** Removes a person from the room. Gives the closed session. */
  closeSession(sessionId: string): Promise<AgentSession>;
}

export interface SessionsSnapshot {
  /** Oldest announcement first. */
  sessions: AgentSession[];
  /** The `seq` of the last event that this list includes. It only increases while the app runs. */
  seq: number;
}

/**
 * `session` is the session that changed; `sessions` is the whole list after the change. The list is a
 * new array in each event. A session that did not change is the same object as in the event before.
 * `seq` increases with each event. It may skip numbers, because it also counts events of the agent.
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
  /** A page can ask the sidecar in state `ready` only. */
  processState: ProcessState;
  /** The room that the agent is in, or tries to join. */
  room?: string;
  /** Why the last attempt to join failed. Absent once the agent is in the room. */
  error?: Failure;
  /** Why no sidecar runs. */
  processError?: { code: SidecarErrorCode; message: string };
}

/**
 * The required members are always present. The optional members come from the sidecar, and are
 * present only when `processState` is `ready`. `sessions` is the number of open sessions; `seq` is
 * the same as in listSessions().
 */
export interface ClaraStatus
  extends
    Partial<Omit<Status, 'epoch' | 'state' | 'sessions' | 'seq'>>,
    Omit<AgentStatus, 'error' | 'attempt' | 'capabilities' | 'room'> {
  sessions: number;
  seq: number;
}

/** An error as a page gets it. contextBridge copies it, so it is not frozen. */
export interface ClaraError {
  readonly name: 'RpcError' | 'SidecarError' | 'ClaraError';
  /**
   * An RpcError has the protocol's number; a SidecarError has its own code. A ClaraError has one of
   * five. `DENIED`: this page or frame may not call. `INVALID_ARGUMENT`: the sidecar refused an
   * argument, or options are no object; while no sidecar runs, a call with another wrong argument
   * rejects with `NOT_READY` instead. `BUSY`: the page makes too many calls. `NO_SIDECAR`: the app has
   * made no sidecar. `UNEXPECTED`: a function of the app failed.
   */
  readonly code:
    number | SidecarErrorCode | 'DENIED' | 'INVALID_ARGUMENT' | 'NO_SIDECAR' | 'UNEXPECTED';
  readonly message: string;
  /** `fix` says what to do. */
  readonly data?: { readonly fix?: string; readonly [key: string]: unknown };
}
