'use strict';

/**
 * A token endpoint: the one place that has the API secret. Needs nothing but Node.
 *
 *   LIVEKIT_URL=... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... LIVEKIT_ROOM=... node token-server.cjs
 *
 *   POST /token {purpose: 'agent' | 'connection', room, identity, name?, grants?} -> {url, token}
 *
 * It listens on this machine alone, on $PORT or 8090. A real one stands on your server, behind
 * your own sign-in, which also tells it the identity: whoever may call it may enter the room.
 */

const crypto = require('crypto');
const http = require('http');

const AGENT = /^clara-voice-agent/;
/** Seconds; it counts only at the join, the LiveKit server refreshes it afterwards. */
const LONGEST_TTL_S = 600;
const LONGEST_REQUEST = 64 * 1024;

/** The claims of docs.livekit.io, "Tokens & grants": to join one room, and nothing else for an agent. */
function claims({ purpose, room, identity, name, grants = {} }, allowedRoom) {
  const isAgent = purpose === 'agent';
  if (!isAgent && purpose !== 'connection') throw new Error('purpose is agent or connection');
  if (room !== allowedRoom) throw new Error('no such room');
  if (typeof identity !== 'string' || !/^[^]{1,256}$/.test(identity))
    throw new Error('no identity');
  if (AGENT.test(identity) !== isAgent) throw new Error(`identity: ${AGENT} is for agents alone`);
  const may = (grant) => !isAgent && grants[grant] !== false;
  const video = { room, roomJoin: true, canPublish: may('canPublish') };
  Object.assign(video, {
    canSubscribe: may('canSubscribe'),
    canPublishData: may('canPublishData'),
  });
  const person = { metadata: grants.metadata, attributes: grants.attributes };
  // An agent alone does not keep a room open: an hour without people, and it is made anew.
  const agent = { kind: 'agent', roomConfig: { emptyTimeout: 3600, departureTimeout: 3600 } };
  const ttl = Math.min(Number(grants.ttlSeconds) || LONGEST_TTL_S, LONGEST_TTL_S);
  const exp = Math.floor(Date.now() / 1000) + ttl;
  return { sub: identity, name, exp, video, ...(isAgent ? agent : person) };
}

/** A JSON web token, signed by HMAC-SHA256 (RFC 7519; `HS256`). */
function signed(payload, secret) {
  const encoded = (bytes) =>
    Buffer.from(bytes).toString('base64').replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  const words = [{ alg: 'HS256', typ: 'JWT' }, payload].map((each) =>
    encoded(JSON.stringify(each)),
  );
  const text = words.join('.');
  return `${text}.${encoded(crypto.createHmac('sha256', secret).update(text).digest())}`;
}

/** @param {{url: string, apiKey: string, apiSecret: string, room: string}} options the one room */
function createTokenServer({ url, apiKey, apiSecret, room }) {
  return http.createServer((request, response) => {
    const answer = (status, body) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
      });
      response.end(JSON.stringify(body));
    };
    // A page of another site can send plain text here unasked, but no JSON.
    const isJson = /^application\/json\b/.test(request.headers['content-type']);
    if (request.method !== 'POST' || request.url !== '/token' || !isJson) {
      answer(404, { error: 'POST /token, as application/json' });
      return;
    }
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk) => {
      text += chunk;
      if (text.length > LONGEST_REQUEST) request.destroy();
    });
    request.on('end', () => {
      try {
        const payload = { iss: apiKey, ...claims(JSON.parse(text), room) };
        answer(200, { url, token: signed(payload, apiSecret) });
      } catch (error) {
        answer(400, { error: error.message });
      }
    });
  });
}

if (require.main === module) {
  const { LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET, LIVEKIT_ROOM, PORT } = process.env;
  const server = createTokenServer({
    url: LIVEKIT_URL,
    apiKey: LIVEKIT_API_KEY,
    apiSecret: LIVEKIT_API_SECRET,
    room: LIVEKIT_ROOM,
  });
  server.listen(Number(PORT || 8090), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/token`);
  });
}

module.exports = { createTokenServer };
