import { CONNECTION_LOST, NotSendable, SocketClosed, SocketSilent, noAnswer } from "./errors.js";

/** Runs commands over the socket, with REST as fallback. */
export class Commands {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** Sends a command over the socket only. Rejects with `NotSendable` where there is none. */
  async request(command) {
    if (!this.#connection.socket) throw new NotSendable(0);
    return this.#connection.socket.request(command);
  }

  /**
   * Runs a command over the socket. Falls back to `rest` if it cannot be sent, or if the socket closes or stays silent
   * before the answer. The server may then run it twice, so it must be idempotent.
   */
  async run(command, rest) {
    const { run, socket } = this.#connection;
    const before = socket?.frames;
    try {
      return await this.request(command);
    } catch (error) {
      const isRepeated = error instanceof SocketClosed || error instanceof SocketSilent;
      if (!isRepeated && !(error instanceof NotSendable)) throw error;
      await this.#connection.verifyUser();
      if (run !== this.#connection.run) throw noAnswer("The client was stopped.");
      const answer = await rest(isRepeated);
      // REST works and the socket is still silent: the socket is dead.
      if (error instanceof SocketSilent && socket?.frames === before) socket?.close(CONNECTION_LOST);
      return answer;
    }
  }
}
