/* Answers what it is told: by window.clara, or by Electron's IPC alone. */

const column = new URLSearchParams(location.search).get('column');
if (column === 'source') {
  window.clara.onSessions(({ type }) =>
    window.floor.got(column, type === 'snapshot' ? 'the list' : 'a change'),
  );
} else {
  window.floor.onChange(() => window.floor.got(column, 'a change'));
  window.floor.list().then(() => window.floor.got(column, 'the list'));
}
