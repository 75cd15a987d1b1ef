'use strict';

/**
 * Owns the identity under which the agent joins when the app gives none. It is made once per
 * installation and kept in userData: two installations with one identity would evict each other from
 * a room.
 */

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const PREFIX = 'clara-voice-agent';
const FILE = 'clara-voice-agent-identity';
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
  if (connect.identity !== undefined) return connect;
  if (connect.token !== undefined && !hasGetToken) return connect;
  // The tokens that follow a given one are for the same identity.
  const named = connect.token === undefined ? '' : identityOf(connect.token);
  if (named !== '') return { ...connect, identity: named };
  return { ...connect, identity: agentIdentity(findFolder(), warn) };
}

/**
 * @param {string} token
 * @returns {string} empty when it names none; checking it is the server's part
 */
function identityOf(token) {
  try {
    const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64').toString('utf8'));
    return typeof sub === 'string' ? sub : '';
  } catch (error) {
    return '';
  }
}

/**
 * @param {string | undefined} folder
 * @param {(warning: string) => void} warn is told when the identity could not be kept
 */
function agentIdentity(folder, warn) {
  if (folder === undefined) return PREFIX;
  const file = path.join(folder, FILE);
  try {
    const kept = fs.readFileSync(file, 'utf8').trim();
    if (FORM.test(kept)) return kept;
  } catch (error) {
    // There is none yet.
  }
  const identity = `${PREFIX}-${crypto.randomBytes(4).toString('hex')}`;
  try {
    fs.writeFileSync(file, `${identity}\n`);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    warn(
      `The agent's identity could not be kept in ${file} (${code}), so the next start will have ` +
        'another. Make the folder writable, or give `connect.identity`.',
    );
  }
  return identity;
}

module.exports = { agentIdentity, withIdentity };
