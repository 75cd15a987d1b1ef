'use strict';

/** Owns the translation of a failed spawn, as the system words it, into a SidecarError. */

const { SidecarError } = require('./errors.cjs');

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
            'program took it into quarantine. Restore it there and allow it, or install again.',
          { cause: error },
        )
      : new SidecarError(
          'SIDECAR_MISSING',
          `No program ${command} was found ${said}. Give \`command\` its full path.`,
          { cause: error },
        );
  }
  if (isWrongArch(error)) {
    return new SidecarError(
      'WRONG_ARCH',
      `${command} was built for another system or processor than this one ${said}. Build the ` +
        'sidecar on the system and architecture that the app is shipped for.',
      { cause: error },
    );
  }
  return new SidecarError(
    'BLOCKED',
    `The system refused to start ${command} ${said}. Check that the file may be executed ` +
      '(its run bit, its folder, an antivirus program or policy), and that the system is not out ' +
      'of processes, files or memory.',
    { cause: error },
  );
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

module.exports = { spawnFailure };
