'use strict';

/**
 * Owns why a program cannot be started here, as a SidecarError: what the system says of a failed
 * spawn, and on Linux what the program's first bytes say. spawn cannot tell the latter there:
 * glibc's execvp hands a file that the kernel refuses (ENOEXEC) to /bin/sh, which then runs the
 * bytes of a binary as a script.
 */

const fs = require('fs');

const { SidecarError } = require('../errors.cjs');

/** macOS's EBADARCH, "Bad CPU type in executable", which Node has no name for. Not run. */
const MAC_EBADARCH = -86;

/**
 * @param {NodeJS.ErrnoException} error of spawn(), thrown or emitted
 * @param {import('./launch.cjs').Launch} launch
 * @returns {SidecarError} SIDECAR_MISSING, REMOVED, BLOCKED or WRONG_ARCH
 */
function spawnFailure(error, { command, packaged }) {
  const said = `(${error.code || error.message})`;
  if (isMissing(error)) {
    return packaged
      ? new SidecarError(
          'REMOVED',
          `${command} vanished while it was being started ${said}: most likely an antivirus ` +
            'program took it into quarantine.',
          { fix: 'Restore it there and allow it, or install again.', cause: error },
        )
      : new SidecarError('SIDECAR_MISSING', `No program ${command} was found ${said}.`, {
          fix: 'Give `command` its full path.',
          cause: error,
        });
  }
  if (isWrongArch(error)) {
    return new SidecarError(
      'WRONG_ARCH',
      `${command} was built for another system or processor than this one ${said}.`,
      {
        fix: 'Build the sidecar on the system and architecture that the app is shipped for.',
        cause: error,
      },
    );
  }
  const isTooBig = error.code === 'E2BIG';
  return new SidecarError('BLOCKED', `The system refused to start ${command} ${said}.`, {
    fix: isTooBig
      ? 'The environment is larger than the system allows: give `env` with what the sidecar needs ' +
        'alone, PATH and HOME for example.'
      : 'Check that the file may be executed (its run bit, its folder, an antivirus program or ' +
        'policy), and that the system is not out of processes, files or memory.',
    cause: error,
  });
}

/** @param {NodeJS.ErrnoException} error */
function isMissing({ code }) {
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** @param {NodeJS.ErrnoException} error */
function isWrongArch({ code, errno }) {
  // EFTYPE and UNKNOWN are how libuv passes on Windows' ERROR_BAD_EXE_FORMAT. Not run.
  return (
    code === 'ENOEXEC' ||
    code === 'EFTYPE' ||
    (code === 'UNKNOWN' && process.platform === 'win32') ||
    (Number(errno) === MAC_EBADARCH && process.platform === 'darwin')
  );
}

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

module.exports = { refusalOfHeader, spawnFailure };
