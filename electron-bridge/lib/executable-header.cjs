'use strict';

/**
 * Owns the look into a program's first bytes on Linux, which tells whether this machine can run
 * it. Needed because spawn cannot say so there: glibc's execvp hands a file that the kernel
 * refuses (ENOEXEC) to /bin/sh, which then runs the bytes of a binary as a script.
 */

const fs = require('fs');

const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const SCRIPT = Buffer.from('#!');
/** Where an ELF header has its e_machine (ELF specification, "ELF Header"); all are little-endian. */
const E_MACHINE_OFFSET = 18;

/**
 * e_machine by the name Node gives an architecture; a 64-bit kernel runs its 32-bit kin, too.
 * @type {Readonly<Record<string, readonly number[]>>}
 */
const MACHINES = Object.freeze({
  x64: [62, 3],
  ia32: [3, 62],
  arm64: [183, 40],
  arm: [40, 183],
});

/**
 * @param {string} file an existing one
 * @param {string} arch as in `process.arch`
 * @returns {string | null} why the file cannot run here, with the fix; null when nothing is known
 *   against it
 */
function refusalOfHeader(file, arch) {
  const header = firstBytes(file);
  if (header === null || header.subarray(0, 2).equals(SCRIPT)) return null;
  if (!header.subarray(0, 4).equals(ELF) || header.length < E_MACHINE_OFFSET + 2) {
    return (
      `${file} is no program for Linux. Build the sidecar on Linux (PyInstaller makes ` +
      'programs only for the system it runs on), or correct the path.'
    );
  }
  const machine = header.readUInt16LE(E_MACHINE_OFFSET);
  const machines = MACHINES[arch];
  if (machines === undefined || machines.includes(machine)) return null;
  return (
    `${file} was built for another processor (ELF machine ${machine}) than this one ` +
    `(${arch}). Build the sidecar on the architecture that the app is shipped for.`
  );
}

/**
 * @param {string} file
 * @returns {Buffer | null} null when it cannot be read, which spawn will explain better
 */
function firstBytes(file) {
  const bytes = Buffer.alloc(E_MACHINE_OFFSET + 2);
  let descriptor;
  try {
    descriptor = fs.openSync(file, 'r');
    return bytes.subarray(0, fs.readSync(descriptor, bytes, 0, bytes.length, 0));
  } catch (error) {
    return null;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

module.exports = { refusalOfHeader };
