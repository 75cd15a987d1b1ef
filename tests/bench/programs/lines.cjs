'use strict';

/**
 * A sidecar that writes lines as fast, or as evenly, as the bench wants them. A line that is timed
 * carries its moment (process.hrtime, which all processes share on Linux) as the session's metadata.
 */

const { session, standIn } = require('../../electron/fixtures/stand-in.cjs');

const FEW = 10;
const { notify, greeting, connected, list, serve } = standIn('lines');
const sessions = [];

const METHODS = {
  initialize: greeting,
  connect() {
    connected();
    return { state: 'connected' };
  },
  listSessions: () => list(sessions),
  /** Announces people until there are so many. */
  fill({ count }) {
    for (let number = sessions.length; number < count; number += 1) {
      const made = {
        ...session(`p${number}`, 'bench'),
        name: `Person ${number}`,
        attributes: { theme: 'dark' },
      };
      notify('session-created', { session: made });
      sessions.push({ ...made, connectionState: 'connected' });
      notify('session-updated', { session: sessions[number], changed: ['connectionState'] });
    }
    return null;
  },
  /** Tells of so many changes, one after the other. */
  async paced({ count, everyMs }) {
    for (let number = 0; number < count; number += 1) {
      change(0, String(process.hrtime.bigint()));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    return null;
  },
  /** Tells of so many changes at once. */
  burst({ count }) {
    for (let number = 0; number < count; number += 1) change(number % FEW, String(number));
    return null;
  },
};

function change(number, metadata) {
  sessions[number] = { ...sessions[number], metadata };
  notify('session-updated', { session: sessions[number], changed: ['metadata'] });
}

serve(METHODS);
