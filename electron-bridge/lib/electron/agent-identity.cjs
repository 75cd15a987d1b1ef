'use strict';

/**
 * Owns the identity under which the agent joins when the app gives none. It is made once per
 * installation and kept in userData: two installations with one identity would evict each other from
 * a room.
 */

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const { attempt } = require('../errors.cjs');

const PREFIX = 'clara-voice-agent';
const FILE = 'clara-voice-agent-identity';
const KEEP_IT =
  'The next start makes another. Make the folder writable, or give `connect.identity`.';
const FORM = /^clara-voice-agent-[0-9a-f]{8}$/;

/**
 * @param {import('../../index').ConnectOptions} connect
 * @param {boolean} hasGetToken
 * @param {() => string | undefined} findFolder gives the folder where the identity is kept, Electron's
 *   userData; undefined without Electron, where the identity has no random part
 * @param {(warning: string) => void} warn
 * @returns {import('../../index').ConnectOptions} with an identity, unless a token alone names it
 */
function withIdentity(connect, hasGetToken, findFolder, warn) {
  const { identity, token } = connect;
  if (identity !== undefined || (token !== undefined && !hasGetToken)) return connect;
  // The tokens that follow a given one are for the same identity. Checking it is the server's part.
  const claims = Buffer.from(String(String(token).split('.')[1]), 'base64').toString('utf8');
  const { sub } = Object(attempt(() => JSON.parse(claims)));
  const isNamed = typeof sub === 'string' && sub !== '';
  return { ...connect, identity: isNamed ? sub : agentIdentity(findFolder(), warn) };
}

/**
 * @param {string | undefined} folder
 * @param {(warning: string) => void} warn is told when the identity could not be kept
 */
function agentIdentity(folder, warn) {
  if (folder === undefined) return PREFIX;
  const file = path.join(folder, FILE);
  const kept = (attempt(() => fs.readFileSync(file, 'utf8')) || '').trim();
  if (FORM.test(kept)) return kept;
  const identity = `${PREFIX}-${crypto.randomBytes(4).toString('hex')}`;
  try {
    fs.writeFileSync(file, `${identity}\n`);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    warn(`The agent's identity could not be kept in ${file} (${code}). ${KEEP_IT}`);
  }
  return identity;
}

module.exports = { agentIdentity, withIdentity };
