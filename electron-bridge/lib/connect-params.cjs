'use strict';

/** Owns what `connect` is sent: where the agent joins, by what right, and under which identity. */

const { agentIdentity } = require('./agent-identity.cjs');
const { existingUserData } = require('./launch.cjs');

/**
 * @param {Pick<import('../index').SidecarOptions, 'connect' | 'electron'>} options
 * @param {(warning: string) => void} warn
 * @returns {import('../index').ConnectParams}
 */
function connectParams({ connect, electron }, warn) {
  // A token alone names its identity itself.
  if (connect.identity !== undefined || connect.apiSecret === undefined) return connect;
  const { identity, warning } = agentIdentity(electron && existingUserData(electron.app));
  if (warning !== undefined) warn(warning);
  return { ...connect, identity };
}

module.exports = { connectParams };
