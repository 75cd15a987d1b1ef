'use strict';

/**
 * Owns which pages may use window.clara: whether a call comes from the main frame of a page that is
 * allowed to, by its address. Asked for each call; nothing of a renderer's own words counts.
 *
 * Where Electron names the frame (`senderFrame`, Electron 13 and newer) it is known at once. Older
 * ones give the frame's id alone, and none for comparison: there the main frame is asked to answer,
 * since webContents.send() reaches no other frame, and its answer carries its id.
 */

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { URL, fileURLToPath } = require('url');

const { EVENTS } = require('./subscriptions.cjs');

/** In `allowedOrigins` it stands for the files under the app's path, never for all files. */
const FILE_ORIGIN = 'file://';
const DEFAULT_ORIGINS = Object.freeze([FILE_ORIGIN]);
/** Their pages have no origin of their own, or the one of whoever made them. */
const OPAQUE_PROTOCOLS = Object.freeze(['about:', 'blob:', 'data:', 'filesystem:', 'javascript:']);

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
function allowedPages(appPath, origins = DEFAULT_ORIGINS) {
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
  let parsed;
  try {
    parsed = new URL(url);
  } catch (_) {
    return null;
  }
  if (parsed.host === '' || OPAQUE_PROTOCOLS.includes(parsed.protocol)) return null;
  return `${parsed.protocol}//${parsed.host}`;
}

/**
 * @param {string} folder
 * @param {string} url of a file
 */
function isFileUnder(folder, url) {
  let file;
  try {
    file = fileURLToPath(url);
  } catch (_) {
    return false; // a host in it, or an escaped slash
  }
  return isUnder(folder, file) || isUnder(real(folder), real(file));
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
 * Node resolves links in __dirname, by which an app names its page, and Electron none in the app's
 * path; macOS has /tmp as a link.
 *
 * @param {string} file
 */
function real(file) {
  try {
    return fs.realpathSync(file);
  } catch (_) {
    return file;
  }
}

/** Milliseconds for the main frame's answer; a page that does not answer is stuck or has no preload. */
const ANSWER_TIMEOUT_MS = 10 * 1000;

/**
 * @typedef {import('../../index').IpcMainLike} IpcMainLike
 * @typedef {import('../../index').IpcCallLike} IpcCallLike
 * @typedef {import('../../index').WebContentsLike} WebContentsLike
 */

class PageSender {
  #ipcMain;
  #isAllowedUrl;
  /** @type {WeakMap<WebContentsLike, Promise<number | null>>} the main frame's id, of this page */
  #mainFrameIds = new WeakMap();
  /** @type {Map<string, (frameId: number | null) => void>} by the nonce of each question */
  #asked = new Map();

  /**
   * @param {IpcMainLike} ipcMain
   * @param {(url: string) => boolean} isAllowedUrl
   */
  constructor(ipcMain, isAllowedUrl) {
    this.#ipcMain = ipcMain;
    this.#isAllowedUrl = isAllowedUrl;
    ipcMain.on(EVENTS.mainFrameAnswered, this.#onAnswer);
  }

  /**
   * @param {IpcCallLike} call
   * @returns {boolean | Promise<boolean>}
   */
  isAllowed(call) {
    if (!('senderFrame' in call)) return this.#isAllowedById(call);
    const frame = call.senderFrame; // null once the page has gone
    return Boolean(frame && frame.parent === null && this.#isAllowedUrl(frame.url));
  }

  /** Takes the listener away; questions under way are answered with no. */
  dispose() {
    this.#ipcMain.removeListener(EVENTS.mainFrameAnswered, this.#onAnswer);
    for (const settle of [...this.#asked.values()]) settle(null);
  }

  /** @param {IpcCallLike} call */
  #isAllowedById = async ({ sender, frameId }) => {
    const mainFrameId = await this.#mainFrameId(sender);
    // The address is that of the page now, which may be another than the one that called.
    return !sender.isDestroyed() && frameId === mainFrameId && this.#isAllowedUrl(sender.getURL());
  };

  /** @param {WebContentsLike} contents */
  #mainFrameId = (contents) => {
    const known = this.#mainFrameIds.get(contents);
    if (known !== undefined) return known;
    const asked = this.#ask(contents);
    this.#mainFrameIds.set(contents, asked);
    const forget = () => {
      if (this.#mainFrameIds.get(contents) === asked) this.#mainFrameIds.delete(contents);
    };
    contents.once('did-navigate', forget); // to another process, where ids are others
    asked.then((frameId) => {
      if (frameId === null) forget();
    });
    return asked;
  };

  /**
   * @param {WebContentsLike} contents
   * @returns {Promise<number | null>}
   */
  #ask = (contents) =>
    new Promise((resolve) => {
      const nonce = crypto.randomBytes(16).toString('hex');
      const timer = setTimeout(() => settle(null), ANSWER_TIMEOUT_MS);
      const settle = (/** @type {number | null} */ frameId) => {
        clearTimeout(timer);
        this.#asked.delete(nonce);
        resolve(frameId);
      };
      this.#asked.set(nonce, settle);
      if (contents.isDestroyed()) settle(null);
      else contents.send(EVENTS.mainFrameAsked, nonce);
    });

  /**
   * @param {IpcCallLike} call
   * @param {unknown} nonce
   */
  #onAnswer = ({ frameId }, nonce) => {
    const settle = this.#asked.get(String(nonce));
    if (settle !== undefined) settle(frameId);
  };
}

module.exports = { PageSender, allowedPages, isOrigin };
