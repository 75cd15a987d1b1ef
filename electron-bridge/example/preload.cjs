'use strict';

/** Owns window.app: the call of this app's own page to its main process. */

const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('app', {
  /** Joins the room now. Starts the sidecar when it does not run. */
  tryAgain: () => ipcRenderer.invoke('app:try-again'),
});
