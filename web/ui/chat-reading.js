/** What the user has read of a chat. */

/** Returns the last message that the user has read; before any, the last one from before the user joined. */
export const readUpTo = (chat, me) =>
  chat.last_read_message_id ?? chat.members.find(({ id }) => id === me?.id)?.read_from_message_id ?? 0;
