'use strict';

/** Owns the permissions of pages: the app's own page may use the microphone, and nothing else. */

/**
 * @param {import('electron').Session} session
 * @param {import('electron').SystemPreferences} systemPreferences
 * @param {(contents: import('electron').WebContents | null) => boolean} isOurPage
 */
function allowMicrophone(session, systemPreferences, isOurPage) {
  session.setPermissionRequestHandler((contents, permission, answer, details) => {
    // Electron 9 has no type for mediaTypes. A request without video is for audio.
    const { mediaTypes = [] } = /** @type {{mediaTypes?: string[]}} */ (details);
    const isMicrophone = permission === 'media' && !mediaTypes.includes('video');
    if (!isMicrophone || !isOurPage(contents)) answer(false);
    else askSystem(systemPreferences).then(answer, () => answer(false));
  });
  session.setPermissionCheckHandler(
    (contents, permission) => permission === 'media' && isOurPage(contents),
  );
}

/**
 * Asks macOS for the microphone. macOS asks its user once, with NSMicrophoneUsageDescription of
 * Info.plist. Windows and Linux let the app decide.
 *
 * @param {import('electron').SystemPreferences} systemPreferences
 * @returns {Promise<boolean>}
 */
async function askSystem(systemPreferences) {
  if (process.platform !== 'darwin') return true;
  return systemPreferences.askForMediaAccess('microphone');
}

module.exports = { allowMicrophone };
