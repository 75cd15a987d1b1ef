/** Owns the words and tones that tell the app's user each state. */

/** @typedef {import('../../preload').AgentStatus} AgentStatus */
/** @typedef {import('../../preload').AgentSession} AgentSession */
/** @typedef {'good' | 'busy' | 'bad' | 'idle'} Tone */
/** @typedef {[title: string, words: string]} Sentences what happened, and what to do */

/**
 * A notice of the window: says why voice does not work.
 *
 * @typedef {object} Notice
 * @property {Tone} tone
 * @property {string} title
 * @property {string} words
 * @property {string} detail for the person whom the user asks for help; may be empty
 * @property {string} action the button's words
 */

/** Why the agent is idle with `join: 'needed'`: it joins when a person does. */
const NOBODY_THERE = 'nobody-there';

/** @type {Record<import('../../preload').AgentState, [Tone, string]>} */
const AGENT = {
  idle: ['idle', 'Off'],
  connecting: ['busy', 'Connecting…'],
  connected: ['good', 'Connected'],
  reconnecting: ['busy', 'Reconnecting…'],
  backoff: ['bad', 'Unavailable'],
  'waiting-for-token': ['busy', 'Connecting…'],
  failed: ['bad', 'Unavailable'],
  stopping: ['idle', 'Stopping…'],
};

/** @type {Record<string, [Tone, string]>} while the sidecar is not ready */
const PROCESS = {
  idle: ['idle', 'Off'],
  starting: ['busy', 'Starting…'],
  backoff: ['busy', 'Restarting…'],
  stopping: ['idle', 'Stopping…'],
  failed: ['bad', 'Unavailable'],
};

/** @type {Record<import('../../preload').Category, Sentences>} why the agent is not in the room */
const NOT_JOINED = {
  unreachable: ['Clara cannot reach the voice service', 'Check your internet connection.'],
  unauthorized: [
    'The voice service did not let Clara in',
    'Try again. If that does not help, ask the people who gave you this app.',
  ],
  'not-found': [
    'The voice service does not know this room',
    'Ask the people who gave you this app whether the room still exists.',
  ],
  proxy: [
    'The proxy of your network blocks voice',
    'Try another network, or ask the people who run this one.',
  ],
  tls: [
    'There is no secure connection to the voice service',
    'Check the date and time of this computer. Some networks want you to sign in first.',
  ],
  'media-blocked': [
    'Your network blocks sound',
    'Try another network, or ask the people who run this one to allow voice calls.',
  ],
  full: ['The room is full, or the voice service is too busy', 'Wait a moment, then try again.'],
  timeout: ['The voice service is too slow to answer', 'Wait a moment, then try again.'],
  malformed: [
    'This app is not set up correctly',
    'Ask the people who gave you this app for a new version.',
  ],
  removed: [
    'Clara was removed from the room',
    'You do not see who is here until Clara is back. Try again to bring it back.',
  ],
  'identity-taken': [
    'Clara is already in this room from somewhere else',
    'Close the other Clara, then try again.',
  ],
  'broken-install': ['A part of Clara is missing', 'Install Clara again.'],
  internal: ['Something went wrong in Clara', 'Try again, or restart Clara.'],
  'other-server': [
    'Something else answers in place of the voice service',
    'Some networks want you to sign in first. Open a web page, sign in, then try again.',
  ],
  'no-websockets': [
    'Your network blocks voice',
    'Try another network, or ask the people who run this one to allow WebSockets.',
  ],
  'server-down': ['The voice service is down', 'Wait a few minutes, then try again.'],
  'rate-limited': ['The voice service gets too many calls', 'Wait a minute, then try again.'],
  'use-wss': [
    'This app is not set up correctly',
    'Ask the people who gave you this app for a new version.',
  ],
  'untrusted-certificate': [
    'This computer does not trust the voice service',
    'Ask the people who run your network whether they inspect connections.',
  ],
  clock: ['The clock of this computer is wrong', 'Set its date and time, then try again.'],
  local: [
    'This computer refused the connection',
    'Allow this app in your firewall or antivirus program, then try again.',
  ],
  'earlier-attempt': ['An earlier attempt is still ending', 'Wait a moment.'],
  unknown: ['Clara cannot join the room', 'Wait a moment, then try again.'],
};

/**
 * @type {Record<string, Sentences>} by the code of the error that keeps the sidecar from running
 */
const NOT_RUNNING = {
  SIDECAR_MISSING: ['A part of Clara is missing', 'Install Clara again.'],
  REMOVED: [
    'A part of Clara is gone',
    'An antivirus program may have removed it. Install Clara again.',
  ],
  BLOCKED: [
    'This computer does not let Clara start voice',
    'Allow Clara in your antivirus or security program, then try again.',
  ],
  WRONG_ARCH: [
    'This Clara was made for another kind of computer',
    'Download the version for this computer.',
  ],
  START_TIMEOUT: ['Voice is too slow to start', 'Close some other programs, then try again.'],
  VERSION_MISMATCH: ['The parts of Clara do not fit together', 'Install Clara again.'],
  CRASH_LOOP: ['Voice has stopped several times', 'Try again, or restart Clara.'],
  BUSY: ['Clara is already open', 'Use the window that is open, or close it and try again.'],
};

/** @type {Sentences} */
const STOPPED = ['Voice has stopped', 'Try again, or restart Clara.'];
/** @type {Sentences} */
const LOST = [
  'The connection was lost',
  'Clara tries to get it back. Check your internet connection.',
];
/** @type {Sentences} */
const INTERRUPTED = [
  'The connection was interrupted',
  'Clara is reconnecting. Until then the list may be out of date.',
];

/** @type {Readonly<Record<import('../../preload').ConnectionState, [Tone, string]>>} */
const SESSION = {
  connecting: ['busy', 'Connecting…'],
  connected: ['good', 'Connected'],
  reconnecting: ['busy', 'Reconnecting…'],
  error: ['bad', 'No connection'],
  closed: ['idle', 'Gone'],
};

/** @type {Record<string, [Tone, string, number]>} the number is the bars, of three */
const QUALITY = {
  lost: ['bad', 'Lost', 0],
  poor: ['bad', 'Poor', 1],
  good: ['busy', 'Good', 2],
  excellent: ['good', 'Excellent', 3],
};

/** @type {Record<string, string>} why the page is out of the room, by livekit-client's names */
const LEFT = {
  PARTICIPANT_REMOVED: 'You were removed from the room.',
  DUPLICATE_IDENTITY: 'You joined from somewhere else.',
  ROOM_DELETED: 'The room was closed.',
  ROOM_CLOSED: 'The room was closed.',
};

/** @type {Record<string, string>} by the name of the error that getUserMedia() rejects with */
const NO_MICROPHONE = {
  NotAllowedError: 'Clara may not use your microphone. Allow it in the settings of this computer',
  NotFoundError: 'No microphone was found. Plug one in',
  NotReadableError: 'Another program uses your microphone. Close it',
};

/**
 * @param {AgentStatus} status
 * @returns {[Tone, string]}
 */
export function agentWords({ state, processState, error, reason }) {
  if (processState !== 'ready') return PROCESS[processState] || ['idle', processState];
  if (reason === NOBODY_THERE) return ['good', 'Ready'];
  if (error && (state === 'connecting' || state === 'waiting-for-token')) {
    return ['bad', 'Trying again…'];
  }
  return AGENT[state] || ['idle', state];
}

/**
 * @param {AgentStatus} status
 * @returns {Notice | null} null while the user can do nothing
 */
export function noticeOf(status) {
  const { state, processState, error, processError, reason } = status;
  if (processState === 'failed') {
    const code = processError ? processError.code : '';
    const detail = processError ? `${code}: ${processError.message}` : '';
    return notice('bad', NOT_RUNNING[code] || STOPPED, detail);
  }
  if (processState === 'backoff') {
    return notice('busy', ['Voice has stopped', 'It starts again by itself.'], '');
  }
  if (processState === 'idle') return notice('idle', ['Voice is off', ''], '', 'Turn on');
  if (processState !== 'ready') return null;
  if (state === 'reconnecting') return notice('busy', INTERRUPTED, '');
  if (state === 'idle' && reason === NOBODY_THERE) return null;
  if (state === 'idle') {
    // Without a reason the sidecar has just started, and connects in a moment.
    return reason ? notice('idle', ['Voice is off', ''], '', 'Turn on') : null;
  }
  if (error) {
    return notice(
      'bad',
      NOT_JOINED[error.category] || LOST,
      `${error.category}: ${error.detail} ${error.fix}`,
    );
  }
  const isOut = state === 'failed' || state === 'backoff';
  return isOut ? notice('bad', LOST, reason || '') : null;
}

/**
 * @param {Tone} tone
 * @param {Sentences} sentences
 * @param {string} detail
 * @returns {Notice}
 */
function notice(tone, [title, words], detail, action = 'Try again') {
  return { tone, title, words, detail, action };
}

/**
 * @param {AgentStatus} status
 * @returns {boolean} whether a page that wants to join has a room to join
 */
export function canJoin({ state, processState, reason }) {
  const isThere = state === 'connected' || state === 'reconnecting' || reason === NOBODY_THERE;
  return processState === 'ready' && isThere;
}

/**
 * @param {AgentStatus} status
 * @returns {boolean} whether this app may remove people
 */
export function canRemove({ capabilities }) {
  return capabilities !== undefined && capabilities.closeSession;
}

/**
 * @param {AgentStatus} status
 * @returns {Sentences} the text that the window shows while the table is empty
 */
export function emptyWords(status) {
  if (canJoin(status)) return ['Nobody is here yet', 'People appear here when they join.'];
  return ['Nobody to show', 'You see who is here as soon as Clara is connected.'];
}

/**
 * @param {AgentSession} session
 * @returns {[Tone, string, number]} tone, words, and how many bars of three; -1: a dot instead
 */
export function connectionWords({ connectionState, connectionQuality }) {
  const quality = QUALITY[connectionQuality];
  if (connectionState === 'connected' && quality !== undefined) return quality;
  const [tone, words] = SESSION[connectionState] || ['idle', connectionState];
  return [tone, words, -1];
}

/**
 * @param {number} ms since the person came
 * @returns {string}
 */
export function sinceWords(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000)); // the server's clock may be ahead of ours
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * @param {object} call
 * @param {boolean} call.isIn whether the page is in the room
 * @param {boolean} call.isMuted
 * @param {boolean} call.canJoin
 * @param {string} call.news what has just happened; may be empty
 * @returns {string}
 */
export function callWords({ isIn, isMuted, canJoin, news }) {
  if (isIn) return news || (isMuted ? 'You are muted.' : 'You are in the room.');
  return canJoin ? news || 'You are not in the room.' : 'You can join once Clara is connected.';
}

/**
 * @param {string} reason livekit-client's; empty when the user asked for it
 * @returns {string}
 */
export function leftWords(reason) {
  return reason && `${LEFT[reason] || 'Your connection was lost.'} You can join again.`;
}

/**
 * @param {unknown} error of getUserMedia()
 * @returns {string}
 */
export function microphoneWords(error) {
  const { name } = /** @type {{name?: string}} */ (Object(error));
  const cause = NO_MICROPHONE[String(name)] || 'Your microphone does not work';
  return `${cause}, then press Unmute. Until then the others do not hear you.`;
}

/**
 * Gives the words for an error. Writes the whole error to the console, for the app's developer.
 *
 * @param {string} what did not work, as a sentence
 * @param {unknown} error that a promise rejected with
 * @returns {string}
 */
export function failureWords(what, error) {
  console.warn(what, error);
  return `${what} Try again in a moment.`;
}
