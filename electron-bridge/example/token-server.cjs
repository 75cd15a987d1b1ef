'use strict';

/**
 * A token endpoint. Only this program has the API secret. It needs Node and no package.
 *
 *   LIVEKIT_URL=... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... LIVEKIT_ROOM=... node token-server.cjs
 *
 *   POST /token {purpose: 'agent' | 'connection', room, identity?, name?, grants?} -> {url, token}
 *
 * It listens on 127.0.0.1, port $PORT or 8090. A real endpoint runs on your server, behind your own
 * sign-in, and takes the identity from there. Every caller that gets a token can enter the room.
 */

const assert = require('assert');
const crypto = require('crypto');
const http = require('http');

/** Seconds. Only the join needs a valid token: the LiveKit server renews it afterwards. */
const LONGEST_TTL_S = 600;
const MAX_BODY_CHARACTERS = 64 * 1024;

/** Gives the claims of a token for one room, as docs.livekit.io describes ("Tokens & grants"). */
function claims({ purpose, room, identity = newIdentity(), name, grants = {} }, ownRoom) {
  const isAgent = purpose === 'agent';
  assert(isAgent || purpose === 'connection', 'purpose: agent or connection');
  assert(room === ownRoom, 'room: there is no such room');
  assert(typeof identity === 'string' && /^[^]{1,256}$/.test(identity), 'identity: a text');
  assert(
    /^clara-voice-agent/.test(identity) === isAgent,
    'identity: clara-voice-agent... is for agents',
  );
  // The agent never publishes. It asks to subscribe where `autoSubscribe` is set.
  const canSubscribe = isAgent ? grants.canSubscribe === true : grants.canSubscribe !== false;
  const [canPublish, canPublishData] = [grants.canPublish, grants.canPublishData].map(
    (asked) => !isAgent && asked !== false,
  );
  const ttlS = Math.min(Number(grants.ttlSeconds) || LONGEST_TTL_S, LONGEST_TTL_S);
  return {
    sub: identity,
    name,
    exp: Math.floor(Date.now() / 1000) + ttlS,
    video: { room, roomJoin: true, canPublish, canSubscribe, canPublishData },
    ...(isAgent
      ? // Keep the room open for an hour without people. An agent does not count as a person.
        { kind: 'agent', roomConfig: { emptyTimeout: 3600, departureTimeout: 3600 } }
      : { metadata: grants.metadata, attributes: grants.attributes }),
  };
}

/** Makes an identity for a person. A real endpoint takes the identity of the signed-in user. */
function newIdentity() {
  return `person-${crypto.randomBytes(4).toString('hex')}`;
}

/** Makes a JSON web token, signed by HMAC-SHA256 (RFC 7519, `HS256`). */
function signed(payload, secret) {
  const url = { '+': '-', '/': '_', '=': '' };
  const encoded = (bytes) =>
    Buffer.from(bytes)
      .toString('base64')
      .replace(/[+/=]/g, (c) => url[c]);
  const parts = [{ alg: 'HS256', typ: 'JWT' }, payload];
  const text = parts.map((part) => encoded(JSON.stringify(part))).join('.');
  return `${text}.${encoded(crypto.createHmac('sha256', secret).update(text).digest())}`;
}

/** @param {{url: string, apiKey: string, apiSecret: string, room: string}} options the one room */
function createTokenServer({ url, apiKey, apiSecret, room }) {
  return http.createServer(async (request, response) => {
    const answer = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    try {
      assert(request.method === 'POST' && request.url === '/token', 'POST /token');
      // A page of another site can send plain text here without leave, but no JSON.
      assert(/^application\/json/.test(request.headers['content-type']), 'send application/json');
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) {
        assert((body += chunk).length <= MAX_BODY_CHARACTERS, 'that is too long');
      }
      const token = signed({ iss: apiKey, ...claims(JSON.parse(body), room) }, apiSecret);
      answer(200, { url, token });
    } catch (error) {
      answer(400, { error: error.message });
    }
  });
}

if (require.main === module) {
  const { LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET, LIVEKIT_ROOM, PORT } = process.env;
  const [url, apiKey, apiSecret] = [LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET];
  const server = createTokenServer({ url, apiKey, apiSecret, room: LIVEKIT_ROOM });
  server.listen(Number(PORT || 8090), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/token`);
  });
}

module.exports = { createTokenServer };
