'use strict';

/**
 * Owns the moment between the decision to start the sidecar and its spawn, while it is not known
 * yet how: what is written meanwhile waits, and an end in it means that there never is a process.
 * To whoever holds it, it is a SidecarProcess all along.
 */

const { SidecarProcess } = require('./sidecar-process.cjs');

class StartingProcess {
  #launching;
  #handlers;
  /** @type {SidecarProcess | undefined} until the spawn */
  #process;
  /** @type {{frame: Buffer, done: () => void}[]} */
  #waiting = [];
  #hasEnded = false;

  /**
   * @param {{answer: Promise<import('./launch.cjs').Launch>, abandon: () => void}} launching must
   *   not reject
   * @param {import('./sidecar-process.cjs').ProcessHandlers} handlers
   * @param {import('../time.cjs').Deadlines} deadlines
   */
  constructor(launching, handlers, deadlines) {
    this.#launching = launching;
    this.#handlers = handlers;
    launching.answer.then((launch) => {
      if (this.#hasEnded) return;
      this.#process = new SidecarProcess(launch, handlers, undefined, deadlines);
      for (const { frame, done } of this.#waiting.splice(0)) this.#process.write(frame, done);
    });
  }

  /** Undefined while there is none. */
  get pid() {
    return this.#process && this.#process.pid;
  }

  /**
   * @param {Buffer} frame
   * @param {() => void} done
   */
  write(frame, done) {
    if (this.#process !== undefined) this.#process.write(frame, done);
    else this.#waiting.push({ frame, done });
  }

  end() {
    if (this.#process !== undefined) this.#process.end();
    else this.#neverStart();
  }

  kill() {
    if (this.#process !== undefined) this.#process.kill();
    else this.#neverStart();
  }

  killNow() {
    if (this.#process !== undefined) this.#process.killNow();
  }

  #neverStart = () => {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#launching.abandon();
    const report = { code: null, signal: null, spawnError: null, abandoned: false };
    setImmediate(() => this.#handlers.onEnded(report));
  };
}

module.exports = { StartingProcess };
