'use strict';

/** An agent made of @livekit/rtc-node alone: joins, and says so. URL and TOKEN are its environment. */

const { Room } = require('@livekit/rtc-node');

const say = (facts) => process.stdout.write(`${JSON.stringify(facts)}\n`);
const room = new Room();
room.on('participantConnected', ({ sid }) => say({ created: sid }));
room.connect(process.env.URL, process.env.TOKEN, { autoSubscribe: false }).then(
  () => say({ in: 'the room' }),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
process.stdin.on('end', () => room.disconnect().then(() => process.exit(0)));
process.stdin.resume();
