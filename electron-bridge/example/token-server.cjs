'use strict';

/**
 * A token endpoint. Only this program has the API secret. It needs Node 20 or newer, and LiveKit's
 * server SDK (`npm install` in this folder).
 *
 *   LIVEKIT_URL=... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... LIVEKIT_ROOM=... node token-server.cjs
 *
 *   POST /token {purpose: 'agent' | 'connection', room, identity?, name?, grants?} -> {url, token}
 *
 * It listens on 127.0.0.1, port $PORT or 8090, and answers programs of this machine. A real endpoint
 * runs on your server, behind your own sign-in, and takes the identity from there. Every caller that
 * gets a token can enter the room.
 */

const crypto = require('crypto');
const http = require('http');
const { AccessToken, RoomConfiguration } = require('livekit-server-sdk');

/** Seconds. Only the join needs a valid token: the LiveKit server renews it afterwards. */
const LONGEST_TTL_S = 600;
const MAX_BODY_BYTES = 64 * 1024;
/** Of an identity or a name, as the LiveKit server limits them. */
const MAX_NAME_BYTES = 256;
/** Of metadata, and of all attributes. */
const MAX_TEXT_BYTES = 16 * 1024;
/** Requests at once after a pause, and a second. */
const AT_ONCE = 30;
const PER_SECOND = 3;
/** Milliseconds for a caller to send its request. */
const SENT_WITHIN_MS = 10 * 1000;
/** Seconds that a room stays open without people. An agent does not count as a person. */
const ROOM_OPEN_S = 3600;

/** The members that a request may have, each with its type. */
const REQUEST = {
  purpose: 'string',
  room: 'string',
  identity: 'string',
  name: 'string',
  grants: 'object',
};
const GRANTS = {
  canPublish: 'boolean',
  canSubscribe: 'boolean',
  canPublishData: 'boolean',
  metadata: 'string',
  attributes: 'object',
  ttlSeconds: 'number',
};

/** An answer that is no token: its HTTP status, and what to do. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {boolean} holds
 * @param {string} message
 * @param {number} [status] of HTTP
 * @throws {Refusal} unless it holds
 */
function demand(holds, message, status = 400) {
  if (!holds) throw new Refusal(status, message);
}

/** Checks that an object has no unknown member and no wrong type. A member may be absent. */
function checked(given, members, where) {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
  demand(isObject, `${where}: an object is needed`);
  for (const [name, value] of Object.entries(given)) {
    const known = Object.keys(members).join(', ');
    demand(Object.keys(members).includes(name), `${where}.${name} is not known; known: ${known}`);
    const isOfType = typeof value === members[name] && value !== null && !Array.isArray(value);
    demand(isOfType, `${where}.${name}: needs the type ${members[name]}`);
  }
  return given;
}

/** Gives the content of the token: the participant, and the rights in the room. */
function meant(body, ownRoom) {
  const request = checked(body, REQUEST, 'request');
  const { purpose, room, identity = newIdentity(), name = '' } = request;
  const grants = checked(request.grants === undefined ? {} : request.grants, GRANTS, 'grants');
  const isAgent = purpose === 'agent';
  demand(isAgent || purpose === 'connection', 'purpose: agent or connection');
  demand(room === ownRoom, 'room: this endpoint gives tokens for another room');
  const isAgents = identity.startsWith('clara-voice-agent');
  demand(
    isAgents === isAgent,
    'identity: clara-voice-agent... is for agents, and for agents alone',
  );
  for (const [what, text] of Object.entries({ identity, name })) {
    demand(Buffer.byteLength(text) <= MAX_NAME_BYTES, `${what}: at most ${MAX_NAME_BYTES} bytes`);
  }
  demand(identity !== '', 'identity: leave it out, or give a text');
  const { metadata = '', attributes = {}, ttlSeconds = LONGEST_TTL_S } = grants;
  demand(Number.isInteger(ttlSeconds) && ttlSeconds > 0, 'grants.ttlSeconds: whole seconds');
  const areTexts = Object.values(attributes).every((value) => typeof value === 'string');
  demand(areTexts, 'grants.attributes: texts by name');
  for (const [what, text] of Object.entries({
    metadata,
    attributes: JSON.stringify(attributes),
  })) {
    const fits = Buffer.byteLength(text) <= MAX_TEXT_BYTES;
    demand(fits, `grants.${what}: at most ${MAX_TEXT_BYTES} bytes`);
  }
  // A person may do what is not forbidden, an agent what it asks for: with a voice plug-in it speaks.
  const may = (right) => (isAgent ? grants[right] === true : grants[right] !== false);
  const rights = ['canPublish', 'canSubscribe', 'canPublishData'].map((each) => [each, may(each)]);
  const ttl = Math.min(ttlSeconds, LONGEST_TTL_S);
  const who = { identity, name, metadata, attributes, ttl };
  return { isAgent, who, video: { room, roomJoin: true, ...Object.fromEntries(rights) } };
}

/** Makes an identity for a person. A real endpoint takes the identity of the signed-in user. */
function newIdentity() {
  return `person-${crypto.randomBytes(4).toString('hex')}`;
}

/** @returns {Promise<string>} the access token, signed by LiveKit's own SDK */
function signed({ isAgent, who, video }, apiKey, apiSecret) {
  const token = new AccessToken(apiKey, apiSecret, who);
  token.addGrant(video);
  if (isAgent) {
    token.kind = 'agent';
    const open = { emptyTimeout: ROOM_OPEN_S, departureTimeout: ROOM_OPEN_S };
    token.roomConfig = new RoomConfiguration(open);
  }
  return token.toJwt();
}

/** Refuses what comes too often: one budget for all callers, since all are on this machine. */
function rateLimit(nowMs) {
  let left = AT_ONCE;
  let sinceMs = nowMs();
  return () => {
    const atMs = nowMs();
    left = Math.min(AT_ONCE, left + ((atMs - sinceMs) / 1000) * PER_SECOND);
    sinceMs = atMs;
    demand(left >= 1, `too many requests: ${PER_SECOND} a second are allowed`, 429);
    left -= 1;
  };
}

/** Refuses the requests of web pages: a browser adds `Origin`, or its own name as `Host`. */
function demandProgramOfThisMachine({ headers }, port) {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  demand(hosts.includes(headers.host), `Host: ask at http://${hosts[0]}`, 403);
  const fix = 'Origin: a page may not ask; let the main process of the app ask';
  demand(headers.origin === undefined, fix, 403);
}

async function bodyOf(request) {
  const isJson = /^application\/json\s*(;|$)/.test(request.headers['content-type']);
  demand(isJson, 'content-type: send application/json', 415);
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    demand(bytes <= MAX_BODY_BYTES, `the body: at most ${MAX_BODY_BYTES} bytes`, 413);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (_) {
    throw new Refusal(400, 'the body is no JSON');
  }
}

/**
 * @param {{url: string, apiKey: string, apiSecret: string, room: string, nowMs?: () => number}}
 *   options the one room; `nowMs` is a clock that cannot be set
 */
function createTokenServer({ url, apiKey, apiSecret, room, nowMs = () => performance.now() }) {
  const demandPause = rateLimit(nowMs);
  const server = http.createServer(async (request, response) => {
    const answer = (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    try {
      demandProgramOfThisMachine(request, server.address().port);
      demand(request.url === '/token', 'there is only /token', 404);
      demand(request.method === 'POST', 'send POST', 405);
      demandPause();
      const wanted = meant(await bodyOf(request), room);
      answer(200, { url, token: await signed(wanted, apiKey, apiSecret) });
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      const { status = 500, message } = error instanceof Refusal ? error : {};
      const headers = { connection: 'close', ...(status === 429 && { 'retry-after': '1' }) };
      answer(status, { error: message || 'the endpoint failed; its log says why' }, headers);
    }
  });
  server.requestTimeout = SENT_WITHIN_MS;
  server.headersTimeout = SENT_WITHIN_MS;
  return server;
}

function main() {
  const names = ['LIVEKIT_URL', 'LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET', 'LIVEKIT_ROOM'];
  const missing = names.filter((name) => !process.env[name]);
  if (missing.length > 0) {
    console.error(`Set ${missing.join(', ')}.`);
    process.exit(2);
  }
  const port = Number(process.env.PORT || 8090);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    console.error('PORT: a whole number from 0 to 65535 is needed.');
    process.exit(2);
  }
  const [url, apiKey, apiSecret, room] = names.map((name) => process.env[name]);
  const server = createTokenServer({ url, apiKey, apiSecret, room });
  server.on('error', ({ code, message }) => {
    console.error(code === 'EADDRINUSE' ? `Port ${port} is taken. Set PORT to another.` : message);
    process.exit(1);
  });
  server.listen(port, '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/token`);
  });
}

if (require.main === module) main();

module.exports = { createTokenServer };
