'use strict';

/**
 * Owns the way of what the sidecar says to what the app hears: through the mirror, with the listing
 * that heals a gap. Knows neither states nor processes.
 */

const { METHODS } = require('./protocol.cjs');

/** Milliseconds; after it, the next notification asks again: the answer itself may be lost. */
const LISTING_TIMEOUT_MS = 30 * 1000;

class Intake {
  #mirror;
  #announcer;
  #warn;
  #isHealing = false;

  /**
   * @param {object} parts
   * @param {import('./mirror.cjs').Mirror} parts.mirror
   * @param {import('./announcer.cjs').Announcer} parts.announcer
   * @param {(warning: string) => void} parts.warn
   */
  constructor({ mirror, announcer, warn }) {
    this.#mirror = mirror;
    this.#announcer = announcer;
    this.#warn = warn;
  }

  /**
   * Takes a notification; where earlier ones are missing, one listing is asked for.
   *
   * @param {string} method
   * @param {any} params
   * @param {Pick<import('./run.cjs').Run, 'request'>} run that it came from
   */
  takeNotification(method, params, run) {
    this.#take(`a "${method}"`, () => this.#mirror.take(method, params));
    if (!this.#mirror.isBehind || this.#isHealing) return;
    this.#isHealing = true;
    const onResult = (/** @type {unknown} */ listing) => {
      this.#isHealing = false;
      this.takeListing(listing);
    };
    const options = { timeoutMs: LISTING_TIMEOUT_MS, ahead: true, onResult };
    run.request(METHODS.listSessions, undefined, options).catch(() => {
      this.#isHealing = false;
    });
  }

  /** @param {unknown} listing result of `listSessions`, as soon as it is read */
  takeListing(listing) {
    this.#take('a list of sessions', () => this.#mirror.takeListing(listing));
  }

  /**
   * @param {string} what
   * @param {() => readonly import('./announcer.cjs').Announcement[]} take
   */
  #take = (what, take) => {
    let announcements;
    try {
      announcements = take();
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      this.#warn(`The sidecar sent ${what} that is none: ${message}.`);
      return;
    }
    this.#announcer.tell(announcements);
  };
}

module.exports = { Intake };
