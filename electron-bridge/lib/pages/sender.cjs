'use strict';

/**
 * Owns which pages may use window.clara: whether a call comes from the main frame of a page that is
 * allowed to, by its address. Asked for each call; a renderer's own words never count.
 *
 * Where Electron names the frame (`senderFrame`, Electron 13 and newer) it is known at once. Older
 * ones give only the frame's id, and no frame to compare with: there the main frame is asked to
 * answer, since webContents.send() reaches no other frame, and its answer carries its id.
 */

const fs = require('fs');
const path = require('path');
const { URL, fileURLToPath } = require('url');

const { listen } = require('../listeners.cjs');
const { attempt } = require('../errors.cjs');
const { deferred } = require('../time.cjs');

/** Asks the main frame to answer on the channel that goes along; preload.cjs repeats the name. */
const MAIN_FRAME_ASKED = 'clara-voice:main-frame?';
/** Milliseconds for the main frame's answer; a page that does not answer is stuck or has no preload. */
const ANSWER_TIMEOUT_MS = 10 * 1000;

/** In `allowedOrigins` it stands for the files under the app's path, never for all files. */
const FILE_ORIGIN = 'file://';
/** Their pages have no origin of their own, or the one of the page that made them. */
const OPAQUE_PROTOCOLS = Object.freeze(['about:', 'blob:', 'data:', 'filesystem:', 'javascript:']);

/**
 * @typedef {import('../../index').IpcMainLike} IpcMainLike
 * @typedef {import('../../index').IpcCallLike} IpcCallLike
 * @typedef {import('../../index').WebContentsLike} WebContentsLike
 */

/**
 * @param {unknown} value
 * @returns {boolean} whether it is an origin and nothing more: `app://main`, no path, no `*`
 */
function isOrigin(value) {
  return typeof value === 'string' && (value === FILE_ORIGIN || originOf(value) === value);
}

/**
 * @param {string} appPath Electron's app.getAppPath()
 * @param {readonly string[]} [origins] as isOrigin() takes them
 * @returns {(url: string) => boolean} whether the page at that address may use window.clara
 */
function allowedPages(appPath, origins = [FILE_ORIGIN]) {
  return (url) => {
    if (!url.startsWith(FILE_ORIGIN)) return origins.includes(String(originOf(url)));
    return origins.includes(FILE_ORIGIN) && isFileUnder(appPath, url);
  };
}

/**
 * Not URL.origin: Node gives "null" there for every scheme that is not the web's own.
 *
 * @param {string} url
 * @returns {string | null}
 */
function originOf(url) {
  const { protocol, host } = attempt(() => new URL(url)) || { protocol: '', host: '' };
  return host === '' || OPAQUE_PROTOCOLS.includes(protocol) ? null : `${protocol}//${host}`;
}

/**
 * Also with links resolved: Node resolves them in __dirname, by which an app names its page, and
 * Electron none in the app's path; macOS has /tmp as a link.
 *
 * @param {string} folder
 * @param {string} url of a file
 */
function isFileUnder(folder, url) {
  // Not with a host in it, an escaped slash, or where there is no such file.
  const file = attempt(() => fileURLToPath(url));
  if (file === undefined) return false;
  const isReally = () => isUnder(fs.realpathSync(folder), fs.realpathSync(file));
  return isUnder(folder, file) || attempt(isReally) === true;
}

/**
 * @param {string} folder
 * @param {string} file
 */
function isUnder(folder, file) {
  const relative = path.relative(folder, file);
  return relative !== '' && relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative);
}

/**
 * @param {IpcMainLike} ipcMain
 * @param {(url: string) => boolean} isAllowedUrl
 * @returns {(call: IpcCallLike) => boolean | Promise<boolean>} whether the call comes from the main
 *   frame of an allowed page
 */
function senderCheck(ipcMain, isAllowedUrl) {
  return (call) => {
    if (!('senderFrame' in call)) return isAllowedById(ipcMain, isAllowedUrl, call);
    const frame = call.senderFrame; // null once the page has gone
    return Boolean(frame && frame.parent === null && isAllowedUrl(frame.url));
  };
}

/**
 * @param {IpcMainLike} ipcMain
 * @param {(url: string) => boolean} isAllowedUrl
 * @param {IpcCallLike} call
 */
async function isAllowedById(ipcMain, isAllowedUrl, { sender, frameId }) {
  if (sender.isDestroyed()) return false;
  const crypto = require('crypto');
  // Nobody but the main frame hears of this channel.
  const channel = `clara-voice:main-frame:${crypto.randomBytes(16).toString('hex')}`;
  const { promise: answered, resolve } = deferred();
  const release = listen([ipcMain, channel, (answer) => resolve(answer.frameId)]);
  const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS);
  sender.send(MAIN_FRAME_ASKED, channel);
  const mainFrameId = await answered;
  clearTimeout(timer);
  release();
  // The address is that of the page now, which may be another than the one that called.
  return !sender.isDestroyed() && frameId === mainFrameId && isAllowedUrl(sender.getURL());
}

module.exports = { allowedPages, isOrigin, senderCheck };
