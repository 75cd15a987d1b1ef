'use strict';

/**
 * Owns the calls of `createConnection` that the app's `getToken` answers, from the question to the
 * end of it. One question a call: the page that asks is there to ask again.
 */

const {
  connectionDetails,
  connectionFailure,
  connectionRequest,
} = require('./connection-details.cjs');

class ConnectionTokens {
  #source;
  #target;
  /** @type {Set<import('../time.cjs').Question<import('../../index').AccessToken>>} */
  #open = new Set();

  /**
   * @param {import('./token-source.cjs').TokenSource} source
   * @param {{url: string, room: string}} target of the option `connect`
   */
  constructor(source, { url, room }) {
    this.#source = source;
    this.#target = { url, room };
  }

  /**
   * @param {unknown} params of `createConnection`
   * @param {readonly string[]} agentIdentities which no person may have
   * @param {number} withinMs
   * @returns {Promise<import('../../index').ConnectionDetails>} rejects with RpcError -32602 and 1006,
   *   with TIMEOUT, and with what abandon() was given
   */
  async create(params, agentIdentities, withinMs) {
    const { url, room } = this.#target;
    const request = connectionRequest(params, { room, agentIdentities });
    const question = this.#source.ask(request, withinMs);
    this.#open.add(question);
    try {
      return connectionDetails(request, await question.answer, url);
    } catch (error) {
      throw connectionFailure(/** @type {Error} */ (error));
    } finally {
      this.#open.delete(question);
    }
  }

  /** @param {Error} error with which every open call ends */
  abandon(error) {
    for (const question of this.#open) question.abandon(error);
  }
}

module.exports = { ConnectionTokens };
