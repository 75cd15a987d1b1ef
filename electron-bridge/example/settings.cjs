'use strict';

/** Owns where the example gets its room and its tokens from: the environment. */

const USAGE = `Say which room to join:

  LIVEKIT_URL=wss://... LIVEKIT_ROOM=... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... npx electron .

A secret in the environment is for development alone.`;

/**
 * @param {{readonly [name: string]: string | undefined}} environment
 * @returns {import('../index').SidecarOptions}
 * @throws {Error} with what to set
 */
function settingsFrom(environment) {
  const { LIVEKIT_URL: url, LIVEKIT_ROOM: room } = environment;
  const { LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = environment;
  if (!url || !room || !apiKey || !apiSecret) throw new Error(USAGE);
  return { connect: { url, room, apiKey, apiSecret } };
}

module.exports = { settingsFrom };
