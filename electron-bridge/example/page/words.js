/** Owns the words and tones in which states are told to a person. */

/** @typedef {import('../../preload').AgentStatus} AgentStatus */
/** @typedef {'good' | 'busy' | 'bad' | 'idle'} Tone */

/** @type {Record<import('../../preload').AgentState, [Tone, string]>} */
const AGENT = {
  idle: ['idle', 'Not in the room'],
  connecting: ['busy', 'Joining the room'],
  connected: ['good', 'Connected'],
  reconnecting: ['busy', 'Reconnecting'],
  backoff: ['bad', 'Unavailable'],
  'waiting-for-token': ['busy', 'Waiting for a token'],
  failed: ['bad', 'Unavailable'],
  stopping: ['idle', 'Leaving the room'],
};

/** @type {Record<string, [Tone, string]>} where there is no agent to ask */
const PROCESS = {
  idle: ['idle', 'Off'],
  starting: ['busy', 'Starting'],
  backoff: ['busy', 'Restarting'],
  stopping: ['idle', 'Stopping'],
  failed: ['bad', 'Unavailable'],
};

/** @type {Readonly<Record<import('../../preload').ConnectionState, [Tone, string]>>} */
export const SESSION = {
  connecting: ['busy', 'Connecting'],
  connected: ['good', 'Connected'],
  reconnecting: ['busy', 'Reconnecting'],
  error: ['bad', 'Not connecting'],
  closed: ['idle', 'Gone'],
};

/**
 * How many bars of 3, -1 for no bars at all, and in words.
 * @type {Record<import('../../preload').ConnectionQuality, [number, string]>}
 */
export const QUALITY = {
  unknown: [-1, 'Not known'],
  lost: [0, 'Lost'],
  poor: [1, 'Poor'],
  good: [2, 'Good'],
  excellent: [3, 'Excellent'],
};

/**
 * @param {AgentStatus} status
 * @returns {[Tone, string]}
 */
export function agentWords({ state, processState, error }) {
  if (processState !== 'ready') return PROCESS[processState] || ['idle', processState];
  if (state === 'connecting' && error) return ['bad', 'Trying again'];
  return AGENT[state] || ['idle', state];
}

/**
 * What is wrong, or null. A failure stays until the room is joined, also while it is tried again.
 *
 * @param {AgentStatus} status
 * @returns {{category: string, detail: string, fix: string} | null}
 */
export function troubleOf({ processState, error, processError }) {
  if (processState === 'failed' && processError) {
    const { code, message } = processError;
    return { category: code, detail: message, fix: 'The rest of the app goes on without voice.' };
  }
  return error === undefined ? null : error;
}

/**
 * @param {AgentStatus} status
 * @returns {boolean} whether a page that wants to join has a room to join
 */
export function canJoin({ state, processState }) {
  return processState === 'ready' && (state === 'connected' || state === 'reconnecting');
}

/**
 * What stands in the place of the table when it is empty.
 *
 * @param {AgentStatus} status
 * @returns {[string, string]}
 */
export function emptyWords(status) {
  if (troubleOf(status) === null) {
    return ['Nobody is here yet.', 'Whoever joins the room appears here.'];
  }
  return ['Nobody to be seen.', 'Who is in the room is known again once voice is back.'];
}

/**
 * @param {number} count
 * @returns {string}
 */
export function peopleWords(count) {
  if (count === 0) return '';
  return count === 1 ? '1 person' : `${count} people`;
}

/**
 * @param {number} ms since somebody came
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
 * @param {unknown} error whatever a promise rejected with
 * @returns {string}
 */
export function failureWords(error) {
  const { message, data } = /** @type {{message?: string, data?: {fix?: string}}} */ (
    Object(error)
  );
  return [message || String(error), data && data.fix].filter(Boolean).join(' ');
}
