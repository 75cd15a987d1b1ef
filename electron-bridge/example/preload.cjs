'use strict';

/** Owns window.app: what this app's page asks of its main process beside window.clara. */

const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('app', {
  /** Joins the room now: starts the sidecar if there is none. */
  tryAgain: () => ipcRenderer.invoke('app:try-again'),
});
