'use strict';

/**
 * Owns the cutting of a byte stream into lines: at 0x0A and nowhere else, decoded only after the
 * cut. Knows no stream, no JSON and no clock.
 *
 * Not `readline`: newer Node versions also split at U+2028, which JSON may contain unescaped.
 */

const NEWLINE = 0x0a;

class LineSplitter {
  #options;
  // Pieces of the unfinished line. Joining them once per line, not once per chunk, keeps a
  // 50 MB line at tens of milliseconds instead of seconds.
  /** @type {Buffer[]} */
  #pieces = [];
  #bytes = 0;

  /**
   * @param {{maxBytes: number, onLine: (line: string) => void, onOversize: () => void}} options
   *   `maxBytes` is the longest line without its newline. `onLine` gets each line that is not
   *   blank, without `\n` or `\r\n`, and must not throw. `onOversize` is called once per line that
   *   was too long; the line is skipped up to its newline.
   */
  constructor(options) {
    this.#options = options;
  }

  /** @param {Buffer} chunk */
  push(chunk) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#take(chunk.subarray(start, end));
      this.end();
      start = end + 1;
    }
    this.#take(chunk.subarray(start));
  }

  /** Ends the unfinished line: at a newline, or at the end of a stream that counts its last line. */
  end() {
    const line = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    const text = line.toString('utf8').replace(/\r$/, '');
    if (text !== '') this.#options.onLine(text);
  }

  /** @param {Buffer} piece */
  #take = (piece) => {
    const { maxBytes, onOversize } = this.#options;
    if (this.#bytes > maxBytes) return;
    this.#bytes += piece.length;
    this.#pieces.push(piece);
    if (this.#bytes <= maxBytes) return;
    this.#pieces = []; // so that its end gives a blank line, which is none
    onOversize();
  };
}

module.exports = { LineSplitter };
