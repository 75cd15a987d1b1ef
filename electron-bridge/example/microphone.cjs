'use strict';

/** Owns who may use the microphone: the app's own page, and nothing but the microphone. */

/**
 * @param {import('electron').Session} session
 * @param {import('electron').SystemPreferences} systemPreferences
 * @param {(contents: import('electron').WebContents | null) => boolean} isOurPage
 */
function allowMicrophone(session, systemPreferences, isOurPage) {
  session.setPermissionRequestHandler((contents, permission, answer, details) => {
    // Electron 9 says no mediaTypes in TypeScript's sense; without video among them it is audio.
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
 * macOS asks its user once, with the words of NSMicrophoneUsageDescription in Info.plist; Windows and
 * Linux leave it to the app.
 *
 * @param {import('electron').SystemPreferences} systemPreferences
 * @returns {Promise<boolean>}
 */
async function askSystem(systemPreferences) {
  if (process.platform !== 'darwin') return true;
  return systemPreferences.askForMediaAccess('microphone');
}

module.exports = { allowMicrophone };
