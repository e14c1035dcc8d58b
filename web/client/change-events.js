/** @typedef {import("../greenroom.d.ts").Message} Message */

const CHANGES = { new_message: "new", message_updated: "updated", message_deleted: "deleted", reaction_updated: "updated" };

/**
 * Emits the events that are not coalesced: one for each change of a message or read marker.
 * @param {(messageId: number) => Message | undefined} find returns a loaded message
 * @param {any} event of the feed, after it was applied
 */
export function emitChange(emitter, find, { type, chat_id: chatId, user_id: userId, message_id, message = find(message_id), ...event }) {
  const change = CHANGES[type];
  if (change && message) emitter.schedule("message", () => ({ chatId, message, change }));
  const messageId = event.last_read_message_id;
  if (type === "read") emitter.schedule("read", () => ({ chatId, userId, messageId }));
}
