/** Puts the window together: what it hears from window.clara goes to the parts that show it. */

import { AgentPanel } from './agent-panel.js';
import { CallPanel } from './call-panel.js';
import { element, write } from './dom.js';
import { SessionTable } from './session-table.js';
import { canJoin } from './words.js';

const agent = new AgentPanel(() => window.app.tryAgain());
const table = new SessionTable(({ sessionId }) => window.clara.closeSession(sessionId));
const call = new CallPanel((identity) => table.markSelf(identity));

window.clara.onSessions((event) => table.show(event));
window.clara.onAgentState(async (status) => {
  agent.show(status);
  call.allow(canJoin(status));
  const { room } = await window.clara.getStatus();
  if (room) write(element('room'), room);
});
