'use strict';

/**
 * Owns one child process from its spawn to its end: its pipes cut into lines, the ladder that
 * stops it, and exactly one report of its end. The only file that starts or ends processes, and so
 * the place of what Windows does differently there. Knows no JSON.
 */

const childProcess = require('child_process');

const { MAX_LINE_BYTES } = require('../protocol.cjs');
const { splitLines } = require('../rpc/line-splitter.cjs');

const IS_WINDOWS = process.platform === 'win32';
/** A longer line on stderr is left out of the log. */
const MAX_LOG_LINE_BYTES = 1024 * 1024;
/** Milliseconds; a system that shuts down, and an installer, give little time. */
const FAST_STOP_MS = 1000;
const TASKKILL = `${process.env.SystemRoot || 'C:\\Windows'}\\System32\\taskkill.exe`;

/**
 * How long each step waits for the end before the next one, in milliseconds.
 *
 * @typedef {object} Patience
 * @property {number} drainMs after the end of stdin; more than the 3 s the sidecar allows itself
 * @property {number} terminateMs after SIGTERM
 * @property {number} killMs after SIGKILL, which only a process stuck in the kernel survives
 * @property {number} pipesMs after the exit, for the rest of stdout and stderr: a process that the
 *   sidecar left behind may hold the pipes open for ever
 */
/** @type {Readonly<Patience>} */
const PATIENCE = Object.freeze({ drainMs: 5000, terminateMs: 2000, killMs: 2000, pipesMs: 500 });

/**
 * @typedef {object} EndReport
 * @property {number | null} code exit status; null, as the signal, when not even SIGKILL ended it
 * @property {string | null} signal
 * @property {NodeJS.ErrnoException | null} spawnError set when there never was a process
 *
 * @typedef {object} ProcessHandlers none may throw
 * @property {(line: string) => void} onLine one line of stdout
 * @property {(line: string) => void} onLogLine one line of stderr
 * @property {(problem: string) => void} onProblem a sentence for the log
 * @property {(report: EndReport) => void} onEnded exactly once, never within sidecarProcess()
 */

/**
 * Spawns the child.
 *
 * With pipes for all three streams: with one inherited, libuv lets Windows open a console window.
 *
 * In a group of its own: so the bridge can end it together with its children, and a Ctrl-C in the
 * terminal reaches only the app, which stops the sidecar in order. Never on Windows: libuv would
 * then leave the sidecar out of the job that ends it with the app.
 *
 * @typedef {ReturnType<typeof sidecarProcess>} SidecarProcess
 *
 * @param {import('./launch.cjs').Launch} launch
 * @param {import('../time.cjs').Deadlines} deadlines
 * @param {ProcessHandlers} handlers
 * @param {Readonly<Patience>} [patience]
 */
function sidecarProcess(launch, deadlines, handlers, patience = PATIENCE) {
  const { onLine, onLogLine, onProblem, onEnded } = handlers;
  /** @type {childProcess.ChildProcessWithoutNullStreams | undefined} */
  let child;
  let hasEnded = false;
  let rung = -1;
  /** @type {import('../time.cjs').Deadline | undefined} */
  let deadline;

  /**
   * @param {Buffer} frame
   * @param {() => void} done called once the system has the frame, or never will. Not the 'drain'
   *   event, which never comes when the child dies with a full pipe.
   */
  function write(frame, done) {
    const stdin = child && child.stdin;
    if (stdin && stdin.writable) stdin.write(frame, () => done());
    else setImmediate(done);
  }

  /** Ends its stdin, which asks it to drain and exit; climbs the ladder as far as it takes. */
  function end() {
    if (rung === -1) climb(0);
  }

  /** Kills it, and its group, now. */
  function kill() {
    if (rung < KILL_RUNG) climb(KILL_RUNG);
  }

  /** Limits a stop under way to one second. */
  function hurry() {
    if (alive()) wait(FAST_STOP_MS, () => climb(KILL_RUNG));
  }

  /** Kills it, and its group, and returns when that is done: for the end of the app itself. */
  function killNow() {
    const living = alive();
    if (living && IS_WINDOWS) {
      const options = { windowsHide: true, timeout: patience.killMs };
      const { status } = childProcess.spawnSync(TASKKILL, taskkillArgs(living), options);
      if (status !== 0) living.kill('SIGKILL'); // a policy may forbid taskkill
    } else if (living) endTree(living, 'SIGKILL');
  }

  /** @param {childProcess.ChildProcessWithoutNullStreams} spawned */
  const listen = (spawned) => {
    const { pid, stdin, stdout, stderr } = spawned;
    spawned.on('error', (error) => {
      if (pid === undefined) finish({ spawnError: error });
      else onProblem(`The sidecar's process: ${error.message}`);
    });
    if (!stdout) return; // out of file descriptors: there is an error and nothing else
    spawned.on('exit', (code, signal) => {
      // At once, while the group's number cannot have been given to another.
      if (!IS_WINDOWS) endTree(spawned, 'SIGKILL');
      if (hasEnded) return; // it was left
      // Neither 'exit' nor 'close' will do alone: now stdout may still be full of answers, and
      // 'close' waits for whoever else holds the pipes.
      wait(patience.pipesMs, () => finish({ code, signal }));
      spawned.once('close', () => finish({ code, signal }));
    });
    /** @type {(stream: NodeJS.ReadableStream, verb: string, maxBytes: number,
     *   onLine: (line: string) => void) => ReturnType<typeof splitLines>} */
    const read = (stream, verb, maxBytes, take) => {
      const onOversize = () => onProblem(`The sidecar ${verb} a line over ${maxBytes} bytes.`);
      const lines = splitLines({ maxBytes, onLine: take, onOversize });
      stream.on('data', (chunk) => lines.push(chunk));
      stream.on('error', ({ message }) => onProblem(`The sidecar's output failed: ${message}`));
      return lines;
    };
    read(stdout, 'wrote', MAX_LINE_BYTES, onLine);
    const logLines = read(stderr, 'logged', MAX_LOG_LINE_BYTES, onLogLine);
    // Last words often lack a newline. A frame without one is cut off, and no message.
    stderr.on('end', () => logLines.end());
    // A child that does not read any more is ended. Without a listener EPIPE would end the app
    // (https://github.com/amd/gaia/issues/3498).
    stdin.on('error', end);
  };

  /** @param {Partial<EndReport>} facts */
  const finish = (facts) => {
    if (hasEnded) return;
    hasEnded = true;
    deadlines.clear(deadline);
    for (const stream of Object(child).stdio || []) if (stream) stream.destroy();
    onEnded({ code: null, signal: null, spawnError: null, ...facts });
  };

  /** Gives the child while it lives. */
  const alive = () => (!hasEnded && child && child.pid && !hasExited(child) ? child : undefined);

  /** @param {number} next */
  const climb = (next) => {
    const living = alive();
    if (living === undefined) return;
    rung = next;
    if (rung === LADDER.length) {
      living.unref();
      onProblem(`The sidecar (pid ${living.pid}) could not be killed: it is left.`);
      finish({});
      return;
    }
    const { act, patience: name } = LADDER[rung];
    wait(patience[name], () => climb(rung + 1));
    act(living);
  };

  /**
   * One deadline is enough: the pipes are waited for only after the ladder has done its work.
   *
   * @param {number} ms
   * @param {() => void} act
   */
  const wait = (ms, act) => {
    deadlines.clear(deadline);
    deadline = deadlines.set(ms, act);
  };

  try {
    const { command, args, cwd, env } = launch;
    const options = { cwd, env, windowsHide: true, detached: !IS_WINDOWS };
    child = childProcess.spawn(command, args, options);
    listen(child);
  } catch (error) {
    // Node emits only some failures and throws the others (lib/internal/child_process.js).
    setImmediate(() => finish({ spawnError: /** @type {any} */ (error) }));
  }
  return { write, end, kill, hurry, killNow };
}

/**
 * The ladder: the action, and how long the child gets to end before the next rung.
 * @type {ReadonlyArray<{act: (child: childProcess.ChildProcessWithoutNullStreams) => void,
 *   patience: keyof Patience}>}
 */
const LADDER = Object.freeze([
  { act: (child) => child.stdin.end(), patience: 'drainMs' },
  { act: (child) => endTree(child, 'SIGTERM'), patience: 'terminateMs' },
  { act: (child) => endTree(child, 'SIGKILL'), patience: 'killMs' },
]);
const KILL_RUNG = LADDER.length - 1;

/** @param {childProcess.ChildProcess} child */
function hasExited(child) {
  return child.exitCode !== null || child.signalCode !== null; // `killed` only says: signal sent
}

/**
 * Windows has no polite signal. taskkill must run while the root is alive: without it the tree
 * below cannot be found. Run under Wine, with a taskkill of ours.
 *
 * @param {childProcess.ChildProcess} child
 * @param {NodeJS.Signals} signal Windows knows no other than the last
 */
function endTree(child, signal) {
  const end = () => child.kill(signal);
  if (IS_WINDOWS) {
    childProcess.execFile(TASKKILL, taskkillArgs(child), { windowsHide: true }, end);
    return;
  }
  try {
    process.kill(-Number(child.pid), signal);
  } catch (error) {
    end(); // ESRCH: the group is gone. EPERM (macOS, for a group of zombies): the child still counts.
  }
}

/** @param {childProcess.ChildProcess} child */
function taskkillArgs(child) {
  return ['/pid', String(child.pid), '/T', '/F'];
}

module.exports = { sidecarProcess };
