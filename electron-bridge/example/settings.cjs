'use strict';

/** Owns the settings of the example: reads its room and its tokens' origin from the environment. */

const { fetchToken } = require('./token-endpoint.cjs');

const USAGE = `Say which room to join:

  LIVEKIT_URL=wss://... LIVEKIT_ROOM=... TOKEN_URL=http://127.0.0.1:8090/token npx electron .

where TOKEN_URL is a token endpoint (token-server.cjs is one). In development,
LIVEKIT_API_KEY and LIVEKIT_API_SECRET may stand in the place of TOKEN_URL.

To hear and answer the people, set VOICE_PROGRAM to a program with a voice plug-in, like
docs/examples/assistant/assistant.py, and SIDECAR_PYTHON to the Python that runs it.`;

/**
 * @param {{readonly [name: string]: string | undefined}} environment
 * @returns {import('../index').SidecarOptions}
 * @throws {Error} that says which variables to set
 */
function settingsFrom(environment) {
  const { LIVEKIT_URL: url, LIVEKIT_ROOM: room, TOKEN_URL: tokenUrl } = environment;
  const { LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = environment;
  if (!url || !room || !(tokenUrl || (apiKey && apiSecret))) throw new Error(USAGE);
  // The agent must subscribe to tracks, or no connection's quality is known.
  const connect = { url, room, autoSubscribe: true };
  const { VOICE_PROGRAM: program, SIDECAR_PYTHON: python = 'python' } = environment;
  const launch = program ? { command: python, args: [program] } : {};
  // An app that you ship must have no secret. It asks your server for each token.
  if (tokenUrl) return { ...launch, connect, getToken: (wanted) => fetchToken(tokenUrl, wanted) };
  return { ...launch, connect: { ...connect, apiKey, apiSecret } };
}

module.exports = { settingsFrom };
