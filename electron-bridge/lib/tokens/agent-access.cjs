'use strict';

/**
 * Owns the agent's right to join: what `connect` is sent, and when the app is asked for a token,
 * again and again if need be. One rule of its own: a token that the LiveKit server refuses three
 * times in a row, fresh each time, is not asked for a fourth time. Knows no process.
 */

const { tokenClaims } = require('./access-token.cjs');

/** Fresh tokens refused in a row, after which the asking ends. */
const MAX_REFUSALS = 3;
/** Milliseconds: full jitter over 1, 2, 4 ... 30 s, as the sidecar's own ladder. */
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30 * 1000;
/** Milliseconds; a token with less to live is not worth a join. */
const SHORT_LIVED_MS = 30 * 1000;

/** A failure of another category, as an agent that was put out, asks for no token. */
const TOKEN_FAULTS = Object.freeze(['unauthorized', 'malformed']);

/** An agent joins, and needs nothing else: it hears of people and of chat without any grant. */
const AGENT_GRANTS = Object.freeze({
  canPublish: false,
  canSubscribe: false,
  canPublishData: false,
});

/**
 * @typedef {import('../../index').Failure} Failure
 * @typedef {import('../../index').ConnectOptions} ConnectOptions
 *
 * @typedef {object} Ports
 * @property {import('./token-source.cjs').TokenSource | undefined} source undefined without
 *   `getToken`
 * @property {import('../time.cjs').Deadlines} deadlines
 * @property {(level: 'warning' | 'error', message: string) => void} report
 * @property {(state: 'waiting-for-token' | 'failed', error: Failure, retryInMs?: number) => void}
 *   onState what the sidecar cannot know: it was never told to join, or is told no more
 * @property {() => number} [random] from 0 to 1
 */

class AgentAccess {
  #ports;
  #random;
  /** @type {ConnectOptions | undefined} until the first sidecar is ready */
  #params;
  /** @type {string | undefined} the newest */
  #token;
  /** @type {((params: ConnectOptions) => void) | undefined} undefined while no sidecar is ready */
  #connect;
  /** Whether a fresh token was sent and nothing is known of it yet. */
  #isUntried = false;
  #refusals = 0;
  #failures = 0;
  /** @type {import('../time.cjs').Question<import('../../index').AccessToken> | undefined} */
  #question;
  /** @type {import('../time.cjs').Deadline | undefined} until the next question */
  #pause;

  /** @param {Ports} ports */
  constructor(ports) {
    this.#ports = ports;
    this.#random = ports.random || Math.random;
  }

  /**
   * Under which identities the agent is in the room, or may be next.
   * @returns {string[]}
   */
  get identities() {
    const claims = this.#token === undefined ? null : tokenClaims(this.#token);
    const { identity } = this.#params || {};
    return [identity, claims && claims.identity].filter(isText);
  }

  /**
   * A sidecar is ready.
   *
   * @param {ConnectOptions} params with an identity, unless a token alone names it; a secret among
   *   them makes every token, and the app is never asked
   * @param {(params: ConnectOptions) => void} connect sends `connect`
   */
  begin(params, connect) {
    const isFirst = this.#params === undefined;
    this.#params = params;
    this.#connect = connect;
    this.#isUntried = false;
    this.#refusals = 0;
    this.#failures = 0;
    const { token } = params;
    // A given token is for the first join: after a crash it may be old, and there is a better way.
    const isGood = isFirst && token !== undefined && !isShortLived(token);
    if (this.#asksForTokens() && !isGood) {
      this.#ask();
    } else {
      this.#token = token;
      connect(params);
    }
  }

  /**
   * @param {{state: string, error?: Failure}} change the sidecar's `agent-state-changed`
   */
  take({ state, error }) {
    if (this.#connect === undefined || !this.#asksForTokens()) return;
    if (state === 'connected') {
      this.#isUntried = false;
      this.#refusals = 0;
      return;
    }
    const isRefused =
      state === 'waiting-for-token' ||
      (state === 'failed' && error !== undefined && TOKEN_FAULTS.includes(error.category));
    // While a question is out, its answer is the next attempt, whoever made this one.
    if (isRefused && !this.#isAsking()) this.#onRefused(state, error);
  }

  /** The sidecar is gone, or is being stopped. */
  end() {
    this.#connect = undefined;
    const question = this.#question;
    this.#question = undefined;
    if (question !== undefined) question.abandon(new Error('the sidecar is gone'));
    this.#ports.deadlines.clear(this.#pause);
    this.#pause = undefined;
  }

  /** The system resumed, or the network is back: a pause ends at once. */
  wake() {
    if (this.#pause === undefined) return;
    this.#ports.deadlines.clear(this.#pause);
    this.#ask();
  }

  #asksForTokens = () => this.#ports.source !== undefined && this.#given().apiSecret === undefined;

  /** Those of the present sidecar, or of the last one. */
  #given = () => /** @type {ConnectOptions} */ (this.#params);

  #isAsking = () => this.#question !== undefined || this.#pause !== undefined;

  /**
   * @param {string} state
   * @param {Failure | undefined} error
   */
  #onRefused = (state, error) => {
    this.#refusals = this.#isUntried ? this.#refusals + 1 : 0;
    this.#isUntried = false;
    if (this.#refusals < MAX_REFUSALS) {
      if (this.#refusals === 0) this.#ask();
      else this.#askLater(this.#delayMs(this.#refusals));
      return;
    }
    const detail = `The LiveKit server refused ${MAX_REFUSALS} fresh access tokens in a row.`;
    const fix =
      'Check that the token endpoint behind `getToken` has the API key and secret of this server, ' +
      'and that its clock is right; then send `connect`, or start() again after stop().';
    this.#ports.report('error', `${detail} getToken is asked no more. ${fix}`);
    if (state === 'failed') return; // and says so itself
    this.#ports.onState('failed', {
      ...(error || { category: 'unauthorized' }),
      detail,
      fix,
      retryable: false,
    });
  };

  #ask = () => {
    const { room, identity, name } = this.#given();
    this.#pause = undefined;
    const source = /** @type {import('./token-source.cjs').TokenSource} */ (this.#ports.source);
    const question = source.ask({
      purpose: 'agent',
      room,
      identity: /** @type {string} */ (identity),
      ...(name !== undefined && { name }),
      grants: AGENT_GRANTS,
    });
    this.#question = question;
    question.answer.then(
      (answer) => this.#question === question && this.#onToken(answer),
      (error) => this.#question === question && this.#onFailure(error.message),
    );
  };

  /** @param {import('../../index').AccessToken} answer */
  #onToken = ({ token, url = this.#given().url }) => {
    const { room, identity, name } = this.#given();
    const claims = tokenClaims(token);
    if (claims !== null && claims.room !== '' && claims.room !== room) {
      this.#onFailure('getToken gave a token for another room than the one it was asked for.');
      return;
    }
    this.#question = undefined;
    this.#failures = 0;
    this.#isUntried = true;
    this.#token = token;
    const connect = /** @type {(params: ConnectOptions) => void} */ (this.#connect);
    connect({ url, token, room, identity, ...(name !== undefined && { name }) });
  };

  /** @param {string} reason */
  #onFailure = (reason) => {
    this.#question = undefined;
    this.#failures += 1;
    const delayMs = this.#delayMs(this.#failures);
    if (this.#failures === 1) {
      const detail = `There is no access token for the agent: ${reason}`;
      const fix = 'Check the token endpoint behind `getToken`, and the network.';
      this.#ports.report('error', `${detail} It is asked again until it gives one. ${fix}`);
      const error = { category: /** @type {const} */ ('unauthorized'), detail, fix };
      this.#ports.onState('waiting-for-token', { ...error, retryable: true }, delayMs);
    }
    this.#askLater(delayMs);
  };

  /** @param {number} delayMs */
  #askLater = (delayMs) => {
    this.#pause = this.#ports.deadlines.set(delayMs, () => this.#ask());
  };

  /**
   * @param {number} count of what went wrong in a row, from 1
   * @returns {number} so that a thousand apps do not come back to an endpoint at once
   */
  #delayMs = (count) => {
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (count - 1));
    return Math.round(this.#random() * longest);
  };
}

/**
 * @param {unknown} value
 * @returns {value is string}
 */
function isText(value) {
  return typeof value === 'string' && value !== '';
}

/** @param {string} token */
function isShortLived(token) {
  const claims = tokenClaims(token);
  if (claims === null || claims.expiresAtMs === null) return false; // the server will say
  return claims.expiresAtMs - Date.now() < SHORT_LIVED_MS;
}

module.exports = { AgentAccess };
