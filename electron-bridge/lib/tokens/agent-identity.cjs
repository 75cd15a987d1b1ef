'use strict';

/**
 * Owns what `connect` is sent: where the agent joins, by what right, and under which identity. One
 * is made once per installation and kept when the app gives none: two installations with one
 * identity would evict each other from a room.
 */

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const { existingUserData } = require('../process/launch.cjs');
const { tokenClaims } = require('./access-token.cjs');

/**
 * @param {Pick<import('../../index').SidecarOptions, 'connect' | 'getToken'> & {electron?:
 *   import('../../index').ElectronLike}} options
 * @param {(warning: string) => void} warn
 * @returns {import('../../index').ConnectOptions}
 */
function connectParams({ connect, electron, getToken }, warn) {
  if (connect.identity !== undefined) return connect;
  // A token names its identity itself; whatever token follows it is to be for the same.
  const claims = connect.token === undefined ? null : tokenClaims(connect.token);
  if (claims !== null && claims.identity !== '') return { ...connect, identity: claims.identity };
  if (connect.apiSecret === undefined && getToken === undefined) return connect;
  const { identity, warning } = agentIdentity(electron && existingUserData(electron.app));
  if (warning !== undefined) warn(warning);
  return { ...connect, identity };
}

const PREFIX = 'clara-voice-agent';
const FILE = 'clara-voice-agent-identity';
const FORM = /^clara-voice-agent-[0-9a-f]{8}$/;

/**
 * @param {string | undefined} folder where it is kept, Electron's userData; undefined without
 *   Electron: then there is no place of the app's own, and the identity has no random part
 * @returns {{identity: string, warning?: string}} a warning when it could not be kept
 */
function agentIdentity(folder) {
  if (folder === undefined) return { identity: PREFIX };
  const file = path.join(folder, FILE);
  const kept = read(file);
  if (FORM.test(kept)) return { identity: kept };
  const identity = `${PREFIX}-${crypto.randomBytes(4).toString('hex')}`;
  try {
    fs.writeFileSync(file, `${identity}\n`);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    const warning =
      `The agent's identity could not be kept in ${file} (${code}), so the next ` +
      'start will have another. Make the folder writable, or give `connect.identity`.';
    return { identity, warning };
  }
  return { identity };
}

/** @param {string} file */
function read(file) {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch (error) {
    return '';
  }
}

module.exports = { agentIdentity, connectParams };
