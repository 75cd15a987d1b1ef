'use strict';

/** Owns the request to the token endpoint. An app for a newer Electron can use `fetch` instead. */

const http = require('http');
const https = require('https');

/** Milliseconds for one request. The bridge asks again after a failure. */
const TIMEOUT_MS = 10 * 1000;

/**
 * @param {string} url of the endpoint
 * @param {object} wanted the request that getToken gets: purpose, room, identity, name, grants
 * @returns {Promise<{url?: string, token: string}>}
 */
function fetchToken(url, wanted) {
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith('https:') ? https : http;
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      timeout: TIMEOUT_MS,
    };
    const asked = request(url, options, (response) => {
      /** @type {Buffer[]} */
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode !== 200) {
          reject(new Error(`The token endpoint answered ${response.statusCode}: ${text}`));
          return;
        }
        try {
          resolve(JSON.parse(text));
        } catch (_) {
          reject(new Error('The token endpoint answered with something that is not JSON.'));
        }
      });
    });
    asked.on('timeout', () => asked.destroy(new Error('The token endpoint does not answer.')));
    asked.on('error', reject);
    asked.end(JSON.stringify(wanted));
  });
}

module.exports = { fetchToken };
