/**
 * The bridge between an Electron main process and the voice-session sidecar.
 *
 * `protocol.d.ts` has the shapes on the wire and is generated from the sidecar's contract. This
 * file describes the bridge's own calls, options and events, and is written by hand.
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

/** Path of the preload script that gives a page `window.clara` (described in `preload.d.ts`). */
export const preloadPath: string;
/**
 * Gives `window.clara` to the pages of an Electron session. The session keeps its other preload
 * scripts. Call it before you make the window; a second call changes nothing.
 */
export function installPreload(session: SessionLike): void;

/** Makes a sidecar and starts nothing yet. Throws TypeError when an option is wrong. */
export function createSidecar(options: SidecarOptions): Sidecar;

export interface SidecarOptions {
  /** The room that the agent joins as soon as the sidecar is ready. */
  connect: ConnectOptions;
  /**
   * Electron's own objects. Leave this out in Electron's main process: the bridge finds them. Give
   * others for tests, or false for none. With `app`, a packaged app starts the sidecar that it
   * ships (`{resourcesPath}/sidecar/sidecar`), and a quit waits until the sidecar has left the
   * room. With `ipcMain`, the bridge serves `window.clara` to pages; only one sidecar of an app can
   * do that.
   */
  electron?: ElectronLike | false;
  /** Restricts the calls of pages; pages may make all calls unless given. */
  pages?: PageRules;
  /**
   * Origins of the pages that may use `window.clara`, in their main frame: for example `app://main`
   * or `http://localhost:5173`. `file://` stands for the files under the app's path, and is the
   * default.
   */
  allowedOrigins?: readonly string[];
  /**
   * Gives access tokens, so that the app needs no API secret. The bridge calls it for the agent's
   * token at the start, after a crash, and whenever that token has expired. It calls it once for
   * each createConnection(). When the page names no identity, the request has none, and your
   * endpoint decides which person the token is for.
   *
   * When it throws, or gives nothing within 20 s, the bridge logs that once. It calls it again for
   * the agent's token after a random part of 1, 2, 4 ... 30 s. When the server refuses three fresh
   * tokens in a row, the calls end and the agent is `failed`.
   *
   * The bridge does not call it when `connect` has an API secret. When `connect` has a `token`, the
   * agent uses that token for its first join only.
   */
  getToken?: GetToken;
  /**
   * The settings of the voice plug-in, at most 64 KiB of JSON: keys, a language, a prompt. They reach
   * the plug-in as `session.settings`, and appear in no log line and in no result.
   */
  voice?: object;
  /**
   * The proxy for signalling and API calls; media goes through no proxy. `'system'` asks
   * `electron.session`, `'none'` uses no proxy, and an address such as `http://proxy:3128` names an
   * HTTP proxy. HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment count when this option is
   * left out, and when the system does not answer within 3 s. The sidecar reaches a server on
   * this machine without a proxy.
   */
  proxy?: 'system' | 'none' | (string & {});
  /**
   * Makes start() reject with BUSY when `app.hasSingleInstanceLock()` is false: another instance of
   * the app runs, or the app never asked for the lock. false unless given.
   */
  requireSingleInstanceLock?: boolean;
  /**
   * The program to start: a path, or a name on PATH. For development only; a packaged app ignores
   * it. Without it the bridge starts the first that it finds: `$SIDECAR_PYTHON -m sidecar`, the
   * program of the npm package `clara-voice-sidecar-{platform}-{arch}`, or the `.venv` of the
   * bridge's own repository.
   */
  command?: string;
  /** The arguments of `command`; the bridge adds its own arguments after them. */
  args?: readonly string[];
  /** The working directory of the sidecar. For development only; a packaged app ignores it. */
  cwd?: string;
  /**
   * The whole environment of the sidecar; a copy of `process.env` unless given. The bridge takes
   * out LIVEKIT_* and the variables that would confuse a frozen program.
   */
  env?: { readonly [name: string]: string | undefined };
  /** Gets each log message of the sidecar as one line; `console` unless given. */
  logger?: Logger;
  /** The lowest level that the sidecar logs, also in a packaged app; `info` unless given. */
  logLevel?: LogEntry['level'];
  /** Milliseconds from the start to the sidecar's first answer; 30,000 unless given. */
  startTimeoutMs?: number;
  /** Milliseconds that request() waits unless told otherwise; 30,000 unless given. */
  requestTimeoutMs?: number;
  /**
   * How often the bridge restarts a sidecar that ended by itself; false: never. Unless given: at
   * most 3 times in 5 minutes, after 0.5, 1 and 2 s. A figure that you leave out keeps its default.
   * After a restart the agent joins the room of the last connect(), or no room after disconnect().
   */
  restart?: Partial<RestartPolicy> | false;
}

/** Which calls the pages of the app may make. */
export interface PageRules {
  /**
   * false: no page may call it. A function changes the request of a page: the bridge passes it the
   * page's request unchanged, and sends the sidecar the request that the function returns. The
   * sidecar checks that one. Use it to set the identity of the user who signed in, and `replace`
   * if this user may take that identity over from a participant in the room. An error that it
   * throws reaches the page as `UNEXPECTED`.
   */
  createConnection?:
    false | ((request: ConnectionParams) => ConnectionParams | Promise<ConnectionParams>);
  /** false: no page may call it. */
  closeSession?: false;
  /** false: no page may call it. It speaks to a person in the agent's name. */
  sendText?: false;
  /**
   * true: the app's own preload script imports `clara-voice-bridge/preload`. The bridge then does
   * not look for preload.cjs.
   */
  ownPreload?: boolean;
}

export interface RestartPolicy {
  /** Restarts within `windowMs`. When the process ends once more, start nothing: CRASH_LOOP. */
  max: number;
  /** Milliseconds. */
  windowMs: number;
  /**
   * Milliseconds before the first restart within the window, before the second, and so on. The last
   * figure counts for all later restarts.
   */
  delaysMs: readonly number[];
}

/**
 * The room that the agent joins, and the right to join: a token, or an API key with its secret.
 * Give neither when you give `getToken`. Use a secret in development only: every user of the app
 * can read it.
 */
export interface ConnectOptions {
  /** ws://, wss://, http:// or https://. */
  url: string;
  room: string;
  token?: string;
  apiKey?: string;
  apiSecret?: string;
  /**
   * The agent's identity. Unless given, it is the identity of the `token`. With a secret or
   * `getToken` it is `clara-voice-agent-` and 8 hex digits, which the bridge keeps in userData.
   * Without Electron it is `clara-voice-agent`.
   */
  identity?: string;
  /** The agent's display name. */
  name?: string;
  /**
   * Subscribe to all tracks. `connectionQuality` needs it; it costs the bandwidth of the tracks.
   */
  autoSubscribe?: boolean;
  /**
   * `'always'` unless given: the agent is in the room all the time. `'needed'`: the agent is in the
   * room only while a person is there. It joins when createConnection() gives a token and, with an
   * API secret, when the server lists a person, looked up every 30 s. Otherwise it is `idle`, with
   * the reason `nobody-there`, and `status.available` is true.
   */
  join?: 'always' | 'needed';
  /** With `join: 'needed'`: milliseconds from the last person's leave to the agent's; 20,000. */
  leaveAfterMs?: number;
}

/**
 * One sidecar. It stays the same object when its process ends and the next one starts. Deadlines
 * run in attended time: they stand still while the system sleeps, and while the app itself is
 * stopped.
 */
export interface Sidecar {
  /**
   * Starts the sidecar. Resolves when the sidecar answers. Rejects only when the sidecar cannot
   * run; a first process that ends before it answers is not restarted. `agent-state-changed` tells
   * whether the agent could join the room. You can call start() again after stop() and in state
   * `failed`. In state `starting` or `ready` it waits for the same answer as the first call. In
   * `backoff` it restarts at once.
   *
   * @throws SidecarError SIDECAR_MISSING, REMOVED, BLOCKED, WRONG_ARCH, BAD_CWD, START_TIMEOUT,
   *   VERSION_MISMATCH, EXITED, CRASH_LOOP, BUSY or STOPPED; no process is left running then.
   */
  start(): Promise<void>;
  /**
   * Stops the sidecar, in every state. The open sessions close first. Resolves when the process is
   * gone, at most 10 s later. A second call before that kills the process.
   */
  stop(): Promise<void>;
  /** Stops the sidecar for good, never by force. Later calls reject with STOPPED. */
  dispose(): Promise<void>;
  /**
   * Sends a request to the sidecar and gives the sidecar's own answer. A `seq` and an `epoch` in it
   * are the sidecar's, not the bridge's. While the sidecar starts, the request waits. While it
   * waits for a restart, the request rejects with NOT_READY. The bridge never sends a request
   * twice.
   *
   * @throws RpcError when the sidecar answers with an error; SidecarError TIMEOUT, ABORTED, BUSY,
   *   NOT_READY, STOPPED, or the reason for the end of the sidecar; TypeError when an argument is
   *   wrong, and for `initialize` and `shutdown`: start() and stop() send these.
   */
  request<M extends Exclude<keyof Methods, 'initialize' | 'shutdown'>>(
    method: M,
    params?: Methods[M]['params'],
    options?: RequestOptions,
  ): Promise<Methods[M]['result']>;
  /** Calls a method of the voice plug-in, as `echo.history`; its name has a dot. */
  request(
    method: `${string}.${string}`,
    params: { sessionId: string; [name: string]: unknown },
    options?: RequestOptions,
  ): Promise<unknown>;
  /**
   * Asks the sidecar for the open sessions. The list has the seq of the last event that it
   * includes, and the epoch of the events. When the list has a change that no event has told, the
   * bridge emits that event first. Rejects as request() does.
   */
  listSessions(): Promise<SessionList>;
  /**
   * Makes the url and the token with which a page joins the agent's room. Without an API secret,
   * the token comes from one call of `getToken`. Rejects as request() does.
   */
  createConnection(options?: ConnectionParams): Promise<ConnectionDetails>;
  /**
   * Removes a person from the room. Gives the closed session, after its `session-closed`. Rejects
   * as request() does.
   */
  closeSession(sessionId: string): Promise<AgentSession>;
  /**
   * Sends the agent into a room. A param that you leave out keeps its earlier value. Resolves once
   * the agent is in the room. An agent in another room refuses (1007), unless `switch` is true: then it
   * closes its sessions with `agent-disconnected` and changes the room. Rejects as request() does.
   */
  connect(params?: ConnectParams): Promise<Status>;
  /** Takes the agent out of its room and closes the sessions. It stays out, also after a crash. */
  disconnect(): Promise<Status>;
  /** Asks the sidecar for its full status, with figures. `status` is shorter and does not wait. */
  getStatus(): Promise<Status>;
  /** Ends the agent's wait for its next attempt. The reason is `network-online` unless given. */
  wake(reason?: WakeParams['reason']): Promise<null>;
  /** Checks everything that can keep the agent out of its room. Answers within 10 s. */
  diagnose(): Promise<Diagnosis>;
  /** Says whether voice is up; if not, why and until when. `status-changed` tells each change. */
  readonly status: VoiceStatus;
  /**
   * The open sessions by the events so far, oldest first: a new array of frozen objects. While no
   * sidecar runs, the sessions are `reconnecting` and wait for the next process.
   */
  readonly sessions: AgentSession[];
  readonly processState: ProcessState;
  /** The same as the exported function `installPreload`. */
  installPreload(session: SessionLike): void;
  /** The same as the exported constant `preloadPath`. */
  readonly preloadPath: string;
  /** The state in the last `agent-state-changed`; `idle` when the process is gone. */
  readonly agentState: AgentState;
  /** Adds a listener. The bridge logs an error that it throws or rejects with, and goes on. */
  on<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
  /** Adds a listener for the next event only. `events.once(sidecar, name)` works, too. */
  once<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
  off<N extends keyof SidecarEvents>(name: N, listener: (event: SidecarEvents[N]) => void): this;
  /** The same as off(). */
  removeListener<N extends keyof SidecarEvents>(
    name: N,
    listener: (event: SidecarEvents[N]) => void,
  ): this;
}

/** The answer to "is voice up?". */
export interface VoiceStatus {
  /**
   * true: the sidecar runs, and its agent is in the room, or joins it when a person comes
   * (`join: 'needed'`).
   */
  readonly available: boolean;
  readonly processState: ProcessState;
  readonly agentState: AgentState;
  /** The room that the agent is in, or tries to join. */
  readonly room?: string;
  /** Why voice is not available: the error of the process, or else of the last attempt to join. */
  readonly error?: {
    readonly code: SidecarErrorCode | Category;
    readonly message: string;
    readonly fix: string;
  };
  /** Milliseconds from the event to the next attempt; absent when none comes by itself. */
  readonly retryInMs?: number;
}

/**
 * The events and what each passes to its listeners. There is no `error` event: a failure rejects a
 * promise, or is a member of one of these events.
 *
 * Four events tell of sessions and of the agent: `session-created`, `session-updated`,
 * `session-closed` and `agent-state-changed`. Each session is created once and closed once, also
 * when the sidecar's process ends and another one starts. `seq` begins at 1 and increases by one
 * with each of these events. It never resets: not after a crash, stop() or start(). `epoch` stays
 * the same for one Sidecar object.
 *
 * When a process ends by itself, its sessions become `reconnecting` and go on in the next process
 * under their ids. When no process follows, they close with `sidecar-exited`. Every listener gets
 * all events in this order, including an event that a listener causes.
 *
 * `session-event` is an event of a voice plug-in. It has no `seq` and changes no session. Its `number`
 * counts the events of its session, and its `epoch` is that of the sidecar's process. `health` comes
 * every 30 s with a voice plug-in, also without a `seq`.
 */
export interface SidecarEvents extends Notifications {
  'process-state': ProcessStateChanged;
  /** `sidecar.status` has changed. */
  'status-changed': VoiceStatus;
  log: LogEntry;
  exit: SidecarExit;
}

/**
 * The state of the sidecar's process. `backoff`: the process ended by itself, and the bridge will
 * restart it. `failed`: the process could not start, or ended by itself and is not restarted. Call
 * start() to try again. After CRASH_LOOP, each wake-up of the system also starts one more process.
 */
export type ProcessState = 'idle' | 'starting' | 'ready' | 'backoff' | 'stopping' | 'failed';

export interface ProcessStateChanged {
  state: ProcessState;
  previousState: ProcessState;
  /** Why the state is `failed` or `backoff`. */
  error?: SidecarError;
  /** Milliseconds to the restart; with `backoff`. */
  retryInMs?: number;
}

/** One message of the sidecar, or of the bridge itself (`logger` is then `clara-voice-bridge`). */
export interface LogEntry {
  level: 'debug' | 'info' | 'warning' | 'error' | 'critical';
  /** Control characters are escaped. */
  message: string;
  /** The cause of a "Critical: ..." message. The logger gets it as the next line. */
  cause?: string;
  logger: string;
  /** ISO-8601, UTC. */
  time: string;
}

/** A process of the sidecar is gone: it was stopped, or it ended by itself. */
export interface SidecarExit {
  code: number | null;
  signal: string | null;
  /** The last lines of the process on stderr, at most 50, oldest first. */
  stderrTail: string[];
  /** true: the bridge will start another process. */
  willRestart: boolean;
}

export interface RequestOptions {
  /** Milliseconds, counted from the call; `requestTimeoutMs` unless given. */
  timeoutMs?: number;
  /** Aborts the request. If the bridge has sent it already, only the answer is dropped. */
  signal?: AbortSignalLike;
}

/** Why the sidecar could not run, or could not be asked. */
export type SidecarErrorCode =
  /** There is no program to start. */
  | 'SIDECAR_MISSING'
  /** The packaged program is gone from its folder; antivirus programs do that. */
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
  /** It ended by itself more often than `restart` allows; `cause` is the error of its last end. */
  | 'CRASH_LOOP'
  /** stop() or dispose() was called. */
  | 'STOPPED'
  /**
   * The sidecar has not read over 8 MiB of requests; or another instance of the app has the lock;
   * or a page makes more than 60 calls at once, or 5 a second.
   */
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
  /** Says what went wrong. The message is this text, then `fix`. */
  readonly problem: string;
  /** Says what to do; absent when there is nothing to do. */
  readonly fix?: string;
  readonly cause?: unknown;
  /** These three are set when a process caused the error. */
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  readonly stderrTail?: readonly string[];
}

/** The sidecar answered a request with an error. docs/protocol.md lists the codes. */
export class RpcError extends Error {
  readonly name: 'RpcError';
  readonly code: number;
  /** `fix` says what to do. */
  readonly data?: { readonly fix?: string; readonly [key: string]: unknown };
}

/** Electron's own objects, as `require('electron')` gives them. */
export interface ElectronLike {
  app: AppLike;
  /** Serves `window.clara` to pages. */
  ipcMain?: IpcMainLike;
  /** Stops the deadlines while the system sleeps, and tells the sidecar of a wake-up. */
  powerMonitor?: EmitterLike;
  /** Finds the system's proxy, for `proxy: 'system'`. */
  session?: SessionModuleLike;
  /**
   * Limits the quit for an update to a second. Give Electron's own autoUpdater, also when the app
   * uses electron-updater.
   */
  autoUpdater?: EmitterLike;
}

/** What the bridge needs of Electron's `app`. */
export interface AppLike {
  readonly isPackaged: boolean;
  /** The bridge calls this only when it has `ipcMain`. */
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

/** What the bridge needs of Electron's `session`. It uses it once the app is ready. */
export interface SessionModuleLike {
  readonly defaultSession: { resolveProxy(url: string): Promise<string> };
}

/** The answer of LiveKit's standard token endpoint. */
export interface TokenEndpointAnswer {
  participant_token: string;
  server_url?: string;
}

/**
 * Gives a token for the request. Grant no more than the request asks for. The agent's token must
 * have the `kind` `agent`.
 */
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
  /** Absent before Electron 13; null once the frame is gone. */
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

/**
 * What the bridge needs of Electron's Session: the first two in newer Electrons, else the others.
 */
export interface SessionLike {
  getPreloadScripts?(): readonly { readonly filePath: string }[];
  registerPreloadScript?(script: { type: 'frame'; filePath: string }): string;
  getPreloads?(): string[];
  setPreloads?(paths: string[]): void;
}

/** `console` is a Logger; so are `log` and `log.scope('sidecar')` of electron-log. */
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
