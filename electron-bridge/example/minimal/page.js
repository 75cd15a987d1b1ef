const voice = document.getElementById('voice');
const people = document.getElementById('people');

clara.onAgentState(({ state, processState, error, processError }) => {
  const { message = '', fix = '' } = {
    ...processError,
    ...(error && { ...error, message: error.detail }),
  };
  voice.textContent = `Voice: ${processState === 'ready' ? state : processState}. ${message} ${fix}`;
});

clara.onSessions(({ sessions }) => {
  people.textContent = '';
  for (const { name, participantId, connectionState } of sessions) {
    const line = document.createElement('li');
    line.textContent = `${name || participantId}: ${connectionState}`;
    people.append(line);
  }
});
