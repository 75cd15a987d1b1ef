/**
 * The bridge between an Electron main process and the voice-session sidecar.
 *
 * The shapes on the wire are generated from the sidecar's contract (`protocol.d.ts`); this file
 * describes what the bridge adds, by hand.
 */

import {
  AccessToken,
  AgentSession,
  AgentState,
  Category,
  ConnectParams,
  ConnectionDetails,
  ConnectionParams,
  Diagnosis,
  Methods,
  Notifications,
  SessionList,
  Status,
  TokenRequest,
  WakeParams,
} from './protocol';

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
   * Electron's own objects. In a main process of Electron they are found when this is left out; give
   * others for tests, or false for none. With `app` a packaged app starts the sidecar it ships
   * (`{resourcesPath}/sidecar/sidecar`), and a quit waits until the sidecar has left the room. With
   * `ipcMain` pages are served `window.clara`; one sidecar of an app can do that.
   */
  electron?: ElectronLike | false;
  /** What the pages may ask for; everything unless given. */
  pages?: PageRules;
  /**
   * Whose main frames may use `window.clara`, as `app://main` or `http://localhost:5173`. `file://`
   * among them, and without this option, stands for the files under the app's path.
   */
  allowedOrigins?: readonly string[];
  /**
   * Gives access tokens, so that the app needs no API secret: the agent's at the start, after a
   * crash, and whenever its token has expired; and one for each createConnection(), without an
   * identity where the page names none: then the endpoint decides who it is for. It may be
   * called again and again: what it throws is logged once, and it is asked again after 1, 2, 4 ...
   * 30 s, at random within that; so it is when it gives nothing within 20 s. Three fresh tokens in
   * a row that the server refuses end the asking, and the agent is `failed`.
   *
   * Not used where `connect` has an API secret. A `token` of `connect` is for the first join alone.
   */
  getToken?: GetToken;
  /**
   * The proxy for signalling and API calls (media does not go through it): the system's, by
   * `electron.session`; none; or the address of an HTTP proxy, as `http://proxy:3128`. Unless
   * given, HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment count, as they do when the system
   * does not say within 2.5 s. A server on this machine is always reached directly.
   */
  proxy?: 'system' | 'none' | (string & {});
  /**
   * Refuses start() with BUSY where `app.hasSingleInstanceLock()` is false: another instance of
   * the app runs, or the app never asked for the lock. false unless given.
   */
  requireSingleInstanceLock?: boolean;
  /**
   * Development only, a packaged app ignores it: the program to start, a path or a name on PATH.
   * Without it the program is `$SIDECAR_PYTHON -m sidecar`, or the one of the installed package
   * `clara-voice-sidecar-{platform}-{arch}`, or in the bridge's own repository its `.venv`.
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
  /** The least that the sidecar logs, also in a packaged app; `info` unless given. */
  logLevel?: LogEntry['level'];
  /** Milliseconds from the start to the sidecar's first answer; 30,000 unless given. */
  startTimeoutMs?: number;
  /** Milliseconds that request() waits unless told otherwise; 30,000 unless given. */
  requestTimeoutMs?: number;
  /**
   * How often a sidecar that ended by itself is started again; false: never. Unless given, at most
   * 3 times in 5 minutes, after 0.5, 1 and 2 s; each of the three figures can be given alone. The
   * next process goes on where the app left it: in the room of the last connect(), or in none after
   * disconnect().
   */
  restart?: Partial<RestartPolicy> | false;
}

/** What the pages of the app may ask for. */
export interface PageRules {
  /**
   * false: no page may. A function gets what a page asks for, and gives what the sidecar is asked
   * for instead, for example with the identity of the user who signed in. What it throws reaches the
   * page as `UNEXPECTED`.
   */
  createConnection?:
    false | ((request: ConnectionParams) => ConnectionParams | Promise<ConnectionParams>);
  /** false: no page may. */
  closeSession?: false;
  /** true: the app's own preload imports `clara-voice-bridge/preload`, and ours is not looked for. */
  ownPreload?: boolean;
}

export interface RestartPolicy {
  /** Restarts within `windowMs`; the end after the last of them is CRASH_LOOP. */
  max: number;
  /** Milliseconds. */
  windowMs: number;
  /** Milliseconds before the first, the second restart within the window, and so on; the last
   * one counts for all further. */
  delaysMs: readonly number[];
}

/**
 * Where the agent joins, and by what right unless `getToken` gives it: a token, or an API key with
 * its secret. Secrets belong to apps whose users may have them, and to development: whoever has the
 * app has them.
 */
export interface ConnectOptions {
  /** ws://, wss://, http:// or https://. */
  url: string;
  room: string;
  token?: string;
  apiKey?: string;
  apiSecret?: string;
  /**
   * The agent's identity. Without it: the token's; or with a secret or `getToken`
   * `clara-voice-agent-` and 8 hex digits kept in userData; or without Electron `clara-voice-agent`.
   */
  identity?: string;
  /** The agent's display name. */
  name?: string;
  /** Subscribes to all tracks, which costs their bandwidth; `connectionQuality` needs it. */
  autoSubscribe?: boolean;
}

/**
 * One sidecar, whichever process it is at the moment. Its deadlines run on attended time: they
 * stand still while the system sleeps, and while the app itself is stopped.
 */
export interface Sidecar {
  /**
   * Starts the sidecar. Resolves when it answers, and rejects only if it cannot run: when this
   * first process ends before it answers, nothing is tried again. Whether the agent could join the
   * room is told by `agent-state-changed`. Allowed again after stop(), and in state `failed`; while
   * starting or ready it joins what is under way; in `backoff` it ends the wait.
   *
   * @throws SidecarError SIDECAR_MISSING, REMOVED, BLOCKED, WRONG_ARCH, BAD_CWD, START_TIMEOUT,
   *   VERSION_MISMATCH, EXITED, CRASH_LOOP, BUSY or STOPPED; nothing is left running then.
   */
  start(): Promise<void>;
  /**
   * Stops the sidecar, in every state; resolves when its process is gone, at most 10 s later.
   * The open sessions close before. A second call while the first is under way kills it.
   */
  stop(): Promise<void>;
  /** As stop(), but never by force, and for good: later calls reject with STOPPED. */
  dispose(): Promise<void>;
  /**
   * Asks the sidecar; the answer is the sidecar's own, with its own seq and epoch where it has one.
   * While it starts, requests wait for it; while it waits for a restart they fail with NOT_READY;
   * none is ever sent twice.
   *
   * @throws RpcError when the sidecar answers with an error; SidecarError TIMEOUT, ABORTED, BUSY,
   *   NOT_READY, STOPPED, or why the sidecar ended; TypeError when an argument is wrong, and for
   *   `initialize` and `shutdown`: start() and stop() send these.
   */
  request<M extends Exclude<keyof Methods, 'initialize' | 'shutdown'>>(
    method: M,
    params?: Methods[M]['params'],
    options?: RequestOptions,
  ): Promise<Methods[M]['result']>;
  /**
   * The open sessions, asked of the sidecar; with the seq of the last event that they include, and
   * the epoch of the events. What an event did not tell is told by events first. Rejects as
   * request() does.
   */
  listSessions(): Promise<SessionList>;
  /**
   * What a page needs to join the agent's room; by `getToken`, asked once, where the sidecar has no
   * API secret. Rejects as request() does.
   */
  createConnection(options?: ConnectionParams): Promise<ConnectionDetails>;
  /** Removes a person from the room; the closed session, after its event. Rejects likewise. */
  closeSession(sessionId: string): Promise<AgentSession>;
  /**
   * Sends the agent into a room; params are taken over the ones of before. Resolves once it is
   * there. Where the agent is in another room, disconnect() comes first. Rejects as request() does.
   */
  connect(params?: ConnectParams): Promise<Status>;
  /** Takes the agent out of its room; the sessions close. It stays out, also after a crash. */
  disconnect(): Promise<Status>;
  /** The sidecar's own status, with figures; `status` is the short one, and never waits. */
  getStatus(): Promise<Status>;
  /** Ends a wait for the next attempt at once; `network-online` unless told otherwise. */
  wake(reason?: WakeParams['reason']): Promise<null>;
  /** Looks for what keeps the agent out of its room; within 10 s. */
  diagnose(): Promise<Diagnosis>;
  /** Whether voice is up, and if not, why and until when; `status-changed` tells each change. */
  readonly status: VoiceStatus;
  /**
   * The open sessions as the events told them so far, oldest first: a new array of frozen objects.
   * Also while no sidecar runs: they wait for the next one as `reconnecting`.
   */
  readonly sessions: AgentSession[];
  readonly processState: ProcessState;
  /** As the function of that name. */
  installPreload(session: SessionLike): void;
  /** As the constant of that name. */
  readonly preloadPath: string;
  /** As last told by `agent-state-changed`, which tells `idle` when a process is gone. */
  readonly agentState: AgentState;
  /** Adds a listener; what it throws, or rejects with, is logged and goes no further. */
  on<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
  /** As on(), for the next event alone; so `events.once(sidecar, name)` works, too. */
  once<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
  off<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
  /** As off(). */
  removeListener<N extends keyof SidecarEvents>(
    name: N,
    listener: (event: SidecarEvents[N]) => void,
  ): this;
}

/** The answer to "is voice up?". */
export interface VoiceStatus {
  /** The sidecar runs and its agent is in the room. */
  readonly available: boolean;
  readonly processState: ProcessState;
  readonly agentState: AgentState;
  /** The room that the agent is in or wants to be in. */
  readonly room?: string;
  /** Why voice is not available: of the process, else of the last attempt to join. */
  readonly error?: {
    readonly code: SidecarErrorCode | Category;
    readonly message: string;
    readonly fix: string;
  };
  /** Milliseconds from the event to the next attempt, where one comes by itself. */
  readonly retryInMs?: number;
}

/**
 * The sidecar's notifications with their params, and the bridge's own events. There is no `error`
 * event: what fails rejects a promise, or is in one of these.
 *
 * The first four are the bridge's: each session is created once and closed once, whatever becomes
 * of the sidecar's processes. Their `seq` begins at 1, each has one more than the one before, and
 * it goes on over crashes, stop() and start(); their `epoch` is one per Sidecar object. When a
 * process ends by itself, its sessions become `reconnecting`, go on in the next process under their
 * ids, and close with `sidecar-exited` only if there is none. Events reach every listener in this
 * order, also what a listener itself brings about.
 */
export interface SidecarEvents extends Notifications {
  'process-state': ProcessStateChanged;
  /** `sidecar.status` is another. */
  'status-changed': VoiceStatus;
  log: LogEntry;
  exit: SidecarExit;
}

/**
 * Of the sidecar's process. `backoff`: it ended by itself, and is about to be started again.
 * `failed`: it could not be started, or ended by itself and is not started again; start() leads
 * out of it, and out of CRASH_LOOP each wake-up of the system for one more process.
 */
export type ProcessState = 'idle' | 'starting' | 'ready' | 'backoff' | 'stopping' | 'failed';

export interface ProcessStateChanged {
  state: ProcessState;
  previousState: ProcessState;
  /** With `failed` and `backoff`: why. */
  error?: SidecarError;
  /** Milliseconds to the restart; with `backoff`. */
  retryInMs?: number;
}

/** One message of the sidecar, or of the bridge itself (`logger` is then `clara-voice-bridge`). */
export interface LogEntry {
  level: 'debug' | 'info' | 'warning' | 'error' | 'critical';
  /** Control characters are escaped. */
  message: string;
  /** Why, on the line "Critical: ..."; the logger gets it as the next line. */
  cause?: string;
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
  /** Whether another process takes its place. */
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
  /** It ended by itself more often than `restart` allows; `cause` is the last end. */
  | 'CRASH_LOOP'
  /** stop() or dispose() was called. */
  | 'STOPPED'
  /** Over 8 MiB of requests wait to be read by it; or another instance of the app has the lock. */
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
  /** What is wrong; the message is this and `fix`. */
  readonly problem: string;
  /** What to do, where there is something. */
  readonly fix?: string;
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

/** Electron's own objects, as `require('electron')` has them. */
export interface ElectronLike {
  app: AppLike;
  /** With it pages are served `window.clara`. */
  ipcMain?: IpcMainLike;
  /** With it deadlines stand still while the system sleeps, and a wake-up is told. */
  powerMonitor?: EmitterLike;
  /** For the `proxy` 'system'. */
  session?: SessionModuleLike;
  /** With it the quit of an update waits a second at most. Electron's own, also with electron-updater. */
  autoUpdater?: EmitterLike;
}

/** What the bridge needs of Electron's `app`. */
export interface AppLike {
  readonly isPackaged: boolean;
  /** Used with `ipcMain` alone. */
  getAppPath(): string;
  getPath(name: 'userData'): string;
  on(name: any, listener: (...event: any[]) => void): unknown;
  removeListener(name: any, listener: (...event: any[]) => void): unknown;
  quit(): void;
  whenReady?(): Promise<unknown>;
  hasSingleInstanceLock?(): boolean;
}

/** What the bridge needs of Electron's `powerMonitor` and `autoUpdater`. */
export interface EmitterLike {
  on(name: any, listener: () => void): unknown;
  removeListener(name: any, listener: () => void): unknown;
}

/** What the bridge needs of Electron's `session`, which it asks once the app is ready. */
export interface SessionModuleLike {
  readonly defaultSession: { resolveProxy(url: string): Promise<string> };
}

/** The answer of LiveKit's standard token endpoint. */
export interface TokenEndpointAnswer {
  participant_token: string;
  server_url?: string;
}

/** Grant no more than the request says; the agent's token is to be of the `kind` `agent`. */
export type GetToken = (
  request: TokenRequest,
) => AccessToken | TokenEndpointAnswer | Promise<AccessToken | TokenEndpointAnswer>;

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
