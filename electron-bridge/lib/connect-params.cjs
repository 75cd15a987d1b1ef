'use strict';

/** Owns what `connect` is sent: where the agent joins, by what right, and under which identity. */

const { tokenClaims } = require('./access-token.cjs');
const { agentIdentity } = require('./agent-identity.cjs');
const { existingUserData } = require('./launch.cjs');

/**
 * @param {Pick<import('../index').SidecarOptions, 'connect' | 'electron' | 'getToken'>} options
 * @param {(warning: string) => void} warn
 * @returns {import('../index').ConnectOptions}
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

module.exports = { connectParams };
