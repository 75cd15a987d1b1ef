/**
 * Owns the page's own stay in the room, by livekit-client: join, mute, chat, leave. Touches no
 * element of the page, except the audio elements that it adds for the other people.
 */

/** The topic of livekit-client's own chat. The sidecar counts the messages of this topic. */
const CHAT_TOPIC = 'lk.chat';

/**
 * @typedef {import('livekit-client').Room} Room
 * @typedef {import('../../preload').ConnectionDetails} ConnectionDetails
 *
 * @typedef {object} CallEvents
 * @property {(author: string, text: string) => void} onMessage
 * @property {(isMuted: boolean) => void} onMuted
 * @property {(reason: string) => void} onLeft livekit-client's reason; empty when asked for
 * @property {(error: unknown) => void} onNoMicrophone the page stays in the room unheard
 */

export class Call {
  /** @type {Room | null} */
  #room = null;
  #events;

  /** @param {CallEvents} events */
  constructor(events) {
    this.#events = events;
  }

  /**
   * @param {ConnectionDetails} connection as window.clara.createConnection() gives it
   * @returns {Promise<void>}
   */
  async join({ url, token }) {
    const livekit = /** @type {any} */ (window).LivekitClient;
    if (livekit === undefined) {
      throw new Error(
        'livekit-client is not there. Run `npm install` in the folder of the example.',
      );
    }
    livekit.setLogLevel('warn');
    /** @type {Room} */
    const room = new livekit.Room();
    room.registerTextStreamHandler(CHAT_TOPIC, async (reader, { identity }) => {
      const author = room.remoteParticipants.get(identity);
      this.#events.onMessage((author && author.name) || identity, await reader.readAll());
    });
    room.on('trackSubscribed', (track) => {
      if (track.kind === 'audio') document.body.append(track.attach());
    });
    room.on('trackUnsubscribed', (track) => track.detach().forEach((each) => each.remove()));
    room.on('disconnected', (reason) => {
      if (this.#room !== room) return;
      this.#room = null;
      this.#events.onLeft(livekit.DisconnectReason[Number(reason)] || 'unknown');
    });
    await room.connect(url, token);
    this.#room = room;
    await this.mute(false);
  }

  get isMuted() {
    return this.#room === null || !this.#room.localParticipant.isMicrophoneEnabled;
  }

  /** @param {boolean} isMuted */
  async mute(isMuted) {
    if (this.#room === null) return;
    try {
      await this.#room.localParticipant.setMicrophoneEnabled(!isMuted);
    } catch (error) {
      this.#events.onNoMicrophone(error);
    }
    this.#events.onMuted(this.isMuted);
  }

  /** @param {string} text */
  async say(text) {
    if (this.#room === null) return;
    await this.#room.localParticipant.sendText(text, { topic: CHAT_TOPIC });
    this.#events.onMessage(this.#room.localParticipant.name || 'You', text);
  }

  async leave() {
    const room = this.#room;
    if (room === null) return;
    this.#room = null;
    await room.disconnect();
    this.#events.onLeft('');
  }
}
