'use strict';

/**
 * Owns which pages may use window.clara, by their address alone. Pure but for resolving links of
 * the file system.
 */

const fs = require('fs');
const path = require('path');
const { URL, fileURLToPath } = require('url');

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

module.exports = { allowedPages, isOrigin };
