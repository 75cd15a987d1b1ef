'use strict';

/** Electron's own IPC, bare. */

const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('floor', {
  got: (column, what) => ipcRenderer.send('got', column, what),
  list: () => ipcRenderer.invoke('floor:list'),
  onChange: (listener) => ipcRenderer.on('floor', (_, event) => listener(event)),
});
