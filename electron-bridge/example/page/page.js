/** Puts the window together: passes the events of window.clara to the parts that show them. */

import { AgentPanel } from './agent-panel.js';
import { CallPanel } from './call-panel.js';
import { Captions } from './captions.js';
import { element, write } from './dom.js';
import { SessionTable } from './session-table.js';
import { canJoin, canRemove } from './words.js';

const agent = new AgentPanel(() => window.app.tryAgain());
const table = new SessionTable(({ sessionId }) => window.clara.closeSession(sessionId));
const captions = new Captions();
const call = new CallPanel((identity) => table.markSelf(identity));

window.clara.onSessions((event) => {
  table.show(event);
  captions.follow(event);
});
window.clara.onSessionEvent((event) => captions.show(event));
window.clara.onAgentState((status) => {
  agent.show(status);
  call.allow(canJoin(status));
  table.allowRemoving(canRemove(status));
  write(element('room'), status.room || '');
});
