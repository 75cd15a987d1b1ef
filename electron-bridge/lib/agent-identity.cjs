'use strict';

/**
 * Owns the identity under which the agent joins when the app gives none. It is made once per
 * installation and kept: two installations with one identity would evict each other from a room.
 */

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

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

module.exports = { agentIdentity };
