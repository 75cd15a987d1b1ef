'use strict';

/**
 * Owns the answer to "who is calling": whether an IPC call comes from the main frame of a page that
 * is allowed to. Asked for each call; nothing of a renderer's own words counts.
 *
 * Where Electron names the frame (`senderFrame`, Electron 13 and newer) it is known at once. Older
 * ones give the frame's id alone, and none for comparison: there the main frame is asked to answer,
 * since webContents.send() reaches no other frame, and its answer carries its id.
 */

const crypto = require('crypto');

const { EVENTS } = require('./channels.cjs');

/** Milliseconds for the main frame's answer; a page that does not answer is stuck or has no preload. */
const ANSWER_TIMEOUT_MS = 10 * 1000;

/**
 * @typedef {import('../index').IpcMainLike} IpcMainLike
 * @typedef {import('../index').IpcCallLike} IpcCallLike
 * @typedef {import('../index').WebContentsLike} WebContentsLike
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

module.exports = { PageSender };
