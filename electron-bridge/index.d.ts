/**
 * The bridge between an Electron main process and the voice-session sidecar.
 *
 * The shapes on the wire are generated from the sidecar's contract (`protocol.d.ts`); this file
 * describes what the bridge adds, by hand.
 */

import { AgentState, Methods, Notifications, SessionList } from './protocol';

export * from './protocol';

/** The preload script that gives a page `window.clara`; `preload.d.ts` describes that. */
export const preloadPath: string;
/**
 * Gives `window.clara` to the pages of a session, beside the preload scripts it has; call it before
 * the window is made. A second call changes nothing.
 */
export function installPreload(session: SessionLike): void;

/** Makes a sidecar; nothing is started yet. Throws TypeError when an option is wrong. */
export function createSidecar(options: SidecarOptions): Sidecar;

export interface SidecarOptions {
  /** Where the agent joins, as soon as the sidecar is ready. */
  connect: ConnectOptions;
  /**
   * Electron's `app`, injected. With it a packaged app starts the sidecar it ships
   * (`{resourcesPath}/sidecar/sidecar`), and a quit waits until the sidecar has left the room.
   */
  electron?: { app: AppLike };
  /**
   * Development only, a packaged app ignores it: the program to start instead of
   * `$SIDECAR_PYTHON -m sidecar` or `.venv/bin/python -m sidecar`. A path, or a name on PATH.
   */
  command?: string;
  /** The arguments of `command`; the bridge adds its own behind them. */
  args?: readonly string[];
  /** Development only: the folder to start it in. */
  cwd?: string;
  /**
   * The whole environment of the sidecar instead of a copy of `process.env`. LIVEKIT_* and what
   * would confuse a frozen program is taken out of either.
   */
  env?: { readonly [name: string]: string | undefined };
  /** Gets each message of the sidecar as one line; the default is `console`. */
  logger?: Logger;
  /** Milliseconds from the start to the sidecar's first answer; 30,000 unless given. */
  startTimeoutMs?: number;
  /** Milliseconds that request() waits unless told otherwise; 30,000 unless given. */
  requestTimeoutMs?: number;
}

/**
 * A token, or an API key with its secret. Secrets belong to apps whose users may have them, and
 * to development: whoever has the app has them.
 */
export interface ConnectOptions {
  /** ws://, wss://, http:// or https://. */
  url: string;
  room: string;
  token?: string;
  apiKey?: string;
  apiSecret?: string;
  /**
   * The agent's identity. Without it: the token's; or with a secret `clara-voice-agent-` and 8
   * hex digits kept in userData; or without Electron `clara-voice-agent`.
   */
  identity?: string;
  /** The agent's display name. */
  name?: string;
}

export interface Sidecar {
  /**
   * Starts the sidecar. Resolves when it answers, and rejects only if it cannot run; whether the
   * agent could join the room is told by `agent-state-changed`. Allowed again after stop(), and
   * in state `failed`; while starting or ready it joins what is under way.
   *
   * @throws SidecarError SIDECAR_MISSING, REMOVED, BLOCKED, WRONG_ARCH, BAD_CWD, START_TIMEOUT,
   *   VERSION_MISMATCH, EXITED or STOPPED; nothing is left running then.
   */
  start(): Promise<void>;
  /**
   * Stops the sidecar, in every state; resolves when its process is gone, at most 10 s later.
   * The open sessions close before. A second call while the first is under way kills it.
   */
  stop(): Promise<void>;
  /**
   * Asks the sidecar. While it starts, requests wait for it; none is ever sent twice.
   *
   * @throws RpcError when the sidecar answers with an error; SidecarError TIMEOUT, ABORTED, BUSY,
   *   NOT_READY, STOPPED, or why the sidecar ended; TypeError when an argument is wrong.
   */
  request<M extends keyof Methods>(
    method: M,
    params?: Methods[M]['params'],
    options?: RequestOptions,
  ): Promise<Methods[M]['result']>;
  /** The open sessions. Rejects as request() does. */
  listSessions(): Promise<SessionList>;
  readonly processState: ProcessState;
  /** As last told by `agent-state-changed`; `idle` while no sidecar runs. */
  readonly agentState: AgentState;
  /** Adds a listener; an exception in it is logged and goes no further. */
  on<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
  off<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
}

/**
 * The sidecar's notifications with their params, and the bridge's own events. There is no `error`
 * event: what fails rejects a promise, or is in one of these.
 */
export interface SidecarEvents extends Notifications {
  'process-state': ProcessStateChanged;
  log: LogEntry;
  exit: SidecarExit;
}

/**
 * Of the sidecar's process. `failed`: it could not be started, or ended without being asked to;
 * start() leads out of it.
 */
export type ProcessState = 'idle' | 'starting' | 'ready' | 'stopping' | 'failed';

export interface ProcessStateChanged {
  state: ProcessState;
  previousState: ProcessState;
  /** With `failed`. */
  error?: SidecarError;
}

/** One message of the sidecar, or of the bridge itself (`logger` is then `clara-voice-bridge`). */
export interface LogEntry {
  level: 'debug' | 'info' | 'warning' | 'error' | 'critical';
  /** Control characters are escaped. */
  message: string;
  logger: string;
  /** ISO-8601, UTC. */
  time: string;
}

/** A process of the sidecar is gone, asked or not. */
export interface SidecarExit {
  code: number | null;
  signal: string | null;
  /** Its last lines on stderr, at most 50, oldest first. */
  stderrTail: string[];
  /** Always false: this version restarts nothing. */
  willRestart: boolean;
}

export interface RequestOptions {
  /** Milliseconds, counted from the call; `requestTimeoutMs` unless given. */
  timeoutMs?: number;
  /** Takes the request back if it was not sent yet; else only its answer is dropped. */
  signal?: AbortSignalLike;
}

/** Why the sidecar could not run, or could not be asked. */
export type SidecarErrorCode =
  /** There is no program to start. */
  | 'SIDECAR_MISSING'
  /** The packaged program is gone from its folder; an antivirus program does that. */
  | 'REMOVED'
  /** The system refuses to start it. */
  | 'BLOCKED'
  /** It was built for another system or processor. */
  | 'WRONG_ARCH'
  /** The folder to start it in does not exist. */
  | 'BAD_CWD'
  /** It did not answer in time after its start. */
  | 'START_TIMEOUT'
  /** Bridge and sidecar are of different releases. */
  | 'VERSION_MISMATCH'
  /** It ended without being asked to. */
  | 'EXITED'
  /** stop() was called. */
  | 'STOPPED'
  /** Over 8 MiB of requests wait to be read by it. */
  | 'BUSY'
  /** It did not answer a request in time. */
  | 'TIMEOUT'
  /** The request's signal was aborted; `cause` is the signal's reason. */
  | 'ABORTED'
  /** It does not run. */
  | 'NOT_READY';

export class SidecarError extends Error {
  readonly name: 'SidecarError';
  readonly code: SidecarErrorCode;
  readonly cause?: unknown;
  /** These three where a process stands behind the error. */
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  readonly stderrTail?: readonly string[];
}

/** The sidecar answered a request with an error; the codes are in the protocol's tables. */
export class RpcError extends Error {
  readonly name: 'RpcError';
  readonly code: number;
  /** `fix` says what to do. */
  readonly data?: { readonly fix?: string; readonly [key: string]: unknown };
}

/** What the bridge needs of Electron's `app`. */
export interface AppLike {
  readonly isPackaged: boolean;
  getPath(name: 'userData'): string;
  on(name: 'will-quit', listener: (event: { preventDefault(): void }) => void): unknown;
  removeListener(name: 'will-quit', listener: (event: { preventDefault(): void }) => void): unknown;
  quit(): void;
}

/** What the bridge needs of Electron's `ipcMain`. */
export interface IpcMainLike {
  handle(channel: string, listener: (call: IpcCallLike, argument: unknown) => unknown): void;
  removeHandler(channel: string): void;
  on(channel: string, listener: (call: IpcCallLike, argument: unknown) => void): unknown;
  removeListener(
    channel: string,
    listener: (call: IpcCallLike, argument: unknown) => void,
  ): unknown;
}

/** What the bridge needs of the event that comes with a call. */
export interface IpcCallLike {
  readonly sender: WebContentsLike;
  readonly frameId: number;
  /** Electron before 13 has none; null once the frame has gone. */
  readonly senderFrame?: { readonly parent: unknown; readonly url: string } | null;
}

/** What the bridge needs of Electron's WebContents. */
export interface WebContentsLike {
  getURL(): string;
  isDestroyed(): boolean;
  send(channel: string, ...message: unknown[]): void;
  on(name: any, listener: () => void): unknown;
  once(name: any, listener: () => void): unknown;
  removeListener(name: any, listener: () => void): unknown;
}

/** What the bridge needs of Electron's Session; which of the two there is depends on its age. */
export interface SessionLike {
  getPreloadScripts?(): readonly { readonly filePath: string }[];
  registerPreloadScript?(script: { type: 'frame'; filePath: string }): string;
  getPreloads?(): string[];
  setPreloads?(paths: string[]): void;
}

/** `console` is one, and so is electron-log's `log` or `log.scope('sidecar')`. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What the bridge needs of an AbortSignal, which older Electrons do not have built in. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
