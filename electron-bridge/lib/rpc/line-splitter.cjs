'use strict';

/**
 * Owns the cutting of a byte stream into lines: at 0x0A and nowhere else, decoded only after the
 * cut. Knows no stream, no JSON and no clock.
 *
 * Not `readline`: newer Node versions also split at U+2028, which JSON may contain unescaped.
 */

const NEWLINE = 0x0a;

/**
 * @param {{maxBytes: number, onLine: (line: string) => void, onOversize: () => void}} options
 *   `maxBytes` is the longest line without its newline. `onLine` gets each line that is not blank,
 *   without `\n` or `\r\n`, and must not throw. `onOversize` is called once per line that was too
 *   long; the line is skipped up to its newline.
 */
function splitLines({ maxBytes, onLine, onOversize }) {
  // Pieces of the unfinished line. Joining them once per line, not once per chunk, keeps a
  // 50 MB line at tens of milliseconds instead of seconds.
  /** @type {Buffer[]} */
  let pieces = [];
  let bytes = 0;

  /** @param {Buffer} piece */
  const take = (piece) => {
    if (bytes > maxBytes) return;
    bytes += piece.length;
    pieces.push(piece);
    if (bytes <= maxBytes) return;
    pieces = []; // so that its end gives a blank line, which is none
    onOversize();
  };
  /** Ends the unfinished line: at a newline, or at the end of a stream that counts its last line. */
  const end = () => {
    const line = Buffer.concat(pieces).toString('utf8').replace(/\r$/, '');
    pieces = [];
    bytes = 0;
    if (line !== '') onLine(line);
  };
  /** @param {Buffer} chunk */
  const push = (chunk) => {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, at));
      end();
      start = at + 1;
    }
    take(chunk.subarray(start));
  };
  return { push, end };
}

module.exports = { splitLines };
