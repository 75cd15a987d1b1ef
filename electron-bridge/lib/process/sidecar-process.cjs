'use strict';

/**
 * Owns one child process from its spawn to its end: its pipes cut into lines, the ladder that
 * stops it, and exactly one report of its end. The only file that starts or ends processes, and so
 * the place of what Windows does differently there. Knows no JSON.
 */

const childProcess = require('child_process');
const path = require('path');

const { MAX_LINE_BYTES } = require('../protocol.cjs');
const { LineSplitter } = require('../rpc/line-splitter.cjs');
const { Deadlines } = require('../time.cjs');

const IS_WINDOWS = process.platform === 'win32';
/** A longer line on stderr is left out of the log. */
const MAX_LOG_LINE_BYTES = 1024 * 1024;

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
 * @property {number | null} code exit status
 * @property {string | null} signal
 * @property {NodeJS.ErrnoException | null} spawnError set when there never was a process
 * @property {boolean} abandoned not even SIGKILL ended it; it may still be there
 *
 * @typedef {object} ProcessHandlers none may throw
 * @property {(line: string) => void} onLine one line of stdout
 * @property {(line: string) => void} onLogLine one line of stderr
 * @property {(problem: string) => void} onProblem a sentence for the log
 * @property {(report: EndReport) => void} onEnded exactly once, never within the constructor
 */

class SidecarProcess {
  #child;
  #handlers;
  #patience;
  #hasEnded = false;
  #rung = -1;
  #deadlines;
  /** @type {import('../time.cjs').Deadline | undefined} */
  #deadline;

  /**
   * Spawns the child.
   *
   * @param {import('./launch.cjs').Launch} launch
   * @param {ProcessHandlers} handlers
   * @param {Readonly<Patience>} [patience]
   * @param {Deadlines} [deadlines]
   */
  constructor(launch, handlers, patience = PATIENCE, deadlines = new Deadlines()) {
    this.#handlers = handlers;
    this.#patience = patience;
    this.#deadlines = deadlines;
    try {
      this.#child = spawn(launch);
    } catch (error) {
      // Node emits only some failures and throws the others (lib/internal/child_process.js).
      setImmediate(() => this.#finish({ spawnError: /** @type {any} */ (error) }));
      return;
    }
    this.#listen(this.#child);
  }

  /** The process id; undefined when there never was a process. */
  get pid() {
    return this.#child && this.#child.pid;
  }

  /**
   * @param {Buffer} frame
   * @param {() => void} done called once the system has the frame, or never will. Not the 'drain'
   *   event, which never comes when the child dies with a full pipe.
   */
  write(frame, done) {
    const stdin = this.#child && this.#child.stdin;
    if (stdin && !this.#hasEnded && stdin.writable) stdin.write(frame, () => done());
    else setImmediate(done);
  }

  /** Ends its stdin, which asks it to drain and exit; climbs the ladder as far as it takes. */
  end() {
    if (this.#rung === -1) this.#climb(0);
  }

  /** Kills it, and its group, now. */
  kill() {
    if (this.#rung < KILL_RUNG) this.#climb(KILL_RUNG);
  }

  /** Kills it, and its group, and returns when that is done: for the end of the app itself. */
  killNow() {
    const child = this.#child;
    if (this.#hasEnded || !child || child.pid === undefined || hasExited(child)) return;
    if (IS_WINDOWS) {
      const options = { windowsHide: true, timeout: this.#patience.killMs };
      childProcess.spawnSync(taskkillProgram(), taskkillArgs(child), options); // not run
    } else signalGroup(child, 'SIGKILL');
  }

  /** @param {childProcess.ChildProcessWithoutNullStreams} child */
  #listen = (child) => {
    const { onLine, onLogLine, onProblem } = this.#handlers;
    child.on('error', (error) => {
      if (child.pid === undefined) this.#finish({ spawnError: error });
      else onProblem(`The sidecar's process: ${error.message}`);
    });
    if (!child.stdout) return; // out of file descriptors: there is an error and nothing else
    child.on('exit', (code, signal) => this.#onExit(code, signal));
    const lines = new LineSplitter({
      maxBytes: MAX_LINE_BYTES,
      onLine,
      onOversize: () => onProblem(`The sidecar wrote a line over ${MAX_LINE_BYTES} bytes.`),
    });
    const logLines = new LineSplitter({
      maxBytes: MAX_LOG_LINE_BYTES,
      onLine: onLogLine,
      onOversize: () => onProblem(`The sidecar logged a line over ${MAX_LOG_LINE_BYTES} bytes.`),
    });
    child.stdout.on('data', (chunk) => lines.push(chunk));
    child.stderr.on('data', (chunk) => logLines.push(chunk));
    // Last words often lack a newline. A frame without one is cut off, and no message.
    child.stderr.on('end', () => logLines.end());
    child.stdout.on('error', (error) => onProblem(`The sidecar's stdout failed: ${error.message}`));
    child.stderr.on('error', (error) => onProblem(`The sidecar's stderr failed: ${error.message}`));
    // A child that does not read any more is ended. Without a listener EPIPE would end the app
    // (https://github.com/amd/gaia/issues/3498).
    child.stdin.on('error', () => this.end());
  };

  /**
   * Neither 'exit' nor 'close' will do alone: at 'exit' stdout may still be full of answers, and
   * 'close' waits for whoever else holds the pipes.
   *
   * @param {number | null} code
   * @param {string | null} signal
   */
  #onExit = (code, signal) => {
    if (this.#hasEnded) return;
    const child = /** @type {childProcess.ChildProcessWithoutNullStreams} */ (this.#child);
    // At once, while the group's number cannot have been given to another.
    if (!IS_WINDOWS) signalGroup(child, 'SIGKILL');
    const finish = () => this.#finish({ code, signal });
    this.#wait(this.#patience.pipesMs, finish);
    child.once('close', finish);
  };

  /** @param {Partial<EndReport>} facts */
  #finish = (facts) => {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deadlines.clear(this.#deadline);
    if (this.#child) {
      for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
        if (stream) stream.destroy();
      }
    }
    const report = { code: null, signal: null, spawnError: null, abandoned: false, ...facts };
    this.#handlers.onEnded(report);
  };

  /** @param {number} rung */
  #climb = (rung) => {
    const child = this.#child;
    if (this.#hasEnded || !child || child.pid === undefined || hasExited(child)) return;
    this.#rung = rung;
    if (rung === LADDER.length) {
      child.unref();
      this.#finish({ abandoned: true });
      return;
    }
    const { act, patience } = LADDER[rung];
    this.#wait(this.#patience[patience], () => this.#climb(rung + 1));
    act(child);
  };

  /**
   * One deadline is enough: the pipes are waited for only after the ladder has done its work.
   *
   * @param {number} ms
   * @param {() => void} act
   */
  #wait = (ms, act) => {
    this.#deadlines.clear(this.#deadline);
    this.#deadline = this.#deadlines.set(ms, act);
  };
}

/**
 * The ladder: what is done, and how long the child gets to end before the next rung.
 * @type {ReadonlyArray<{act: (child: childProcess.ChildProcessWithoutNullStreams) => void,
 *   patience: keyof Patience}>}
 */
const LADDER = Object.freeze([
  { act: (child) => child.stdin.end(), patience: 'drainMs' },
  { act: (child) => endTree(child, 'SIGTERM'), patience: 'terminateMs' },
  { act: (child) => endTree(child, 'SIGKILL'), patience: 'killMs' },
]);
const KILL_RUNG = LADDER.length - 1;

/** @param {import('./launch.cjs').Launch} launch */
function spawn({ command, args, cwd, env }) {
  return childProcess.spawn(command, args, {
    cwd,
    env,
    // All three: with one inherited, libuv lets Windows open a console window.
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
    // A group of its own, so that it can be ended with all it started, and so that a Ctrl-C in
    // the terminal reaches the app alone, which stops the sidecar in order. Never on Windows:
    // libuv would then leave it out of the job that ends it with the app.
    detached: !IS_WINDOWS,
  });
}

/** @param {childProcess.ChildProcess} child */
function hasExited(child) {
  return child.exitCode !== null || child.signalCode !== null; // `killed` only says: signal sent
}

/**
 * @param {childProcess.ChildProcess} child
 * @param {NodeJS.Signals} signal Windows knows no other than the last
 */
function endTree(child, signal) {
  if (IS_WINDOWS) taskkill(child);
  else signalGroup(child, signal);
}

/**
 * @param {childProcess.ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function signalGroup(child, signal) {
  try {
    process.kill(-Number(child.pid), signal);
  } catch (error) {
    // ESRCH: the group is gone. EPERM (macOS, for a group of zombies): the child still counts.
    if (!hasExited(child)) child.kill(signal);
  }
}

/**
 * Windows has no polite signal. taskkill must run while the root is alive: without it the tree
 * below cannot be found. Not run.
 *
 * @param {childProcess.ChildProcess} child
 */
function taskkill(child) {
  const options = { windowsHide: true };
  childProcess.execFile(taskkillProgram(), taskkillArgs(child), options, () => {
    if (!hasExited(child)) child.kill();
  });
}

function taskkillProgram() {
  const root = process.env.SystemRoot || process.env.windir || 'C:\\Windows';
  return path.win32.join(root, 'System32', 'taskkill.exe');
}

/** @param {childProcess.ChildProcess} child */
function taskkillArgs(child) {
  return ['/pid', String(child.pid), '/T', '/F'];
}

module.exports = { PATIENCE, SidecarProcess };
