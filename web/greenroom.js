/**
 * Greenroom's client: chats over REST, live over one WebSocket. A module without dependencies, for browsers and Node.
 *
 *     import { Greenroom } from "/messages/greenroom.js";
 *
 *     const client = new Greenroom();
 *     client.on("messages", ({ chatId }) => draw(client.state.messages(chatId)));
 *     await client.start();
 *     await client.open(7);
 *     client.send(7, "Hello!");
 *
 * `greenroom.d.ts` documents the API. The parts are in `client/`, from the bottom up: errors, events, REST, the store,
 * the outbox, one socket, the connection, and the client. The build bundles them, so that servers serve this one file.
 */

export { GreenroomError } from "./client/errors.js";
export { Api } from "./client/api.js";
export { Greenroom } from "./client/greenroom.js";
