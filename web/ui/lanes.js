/** What a message list shows: the timeline of a chat, or the replies of a thread. */

/**
 * @typedef {object} Lane
 * @property {number} key names it: the id of the chat, or the negative id of the root
 * @property {number} chatId
 * @property {number | null} root of the thread; null: the timeline
 * @property {(state: any) => LaneState} select reads its state
 * @property {(message: any) => boolean} has whether it shows a message
 * @property {() => Promise<any>} openNewest
 * @property {(messageId: number) => Promise<any>} openAt
 * @property {() => Promise<any>} loadOlder
 * @property {() => Promise<any>} loadNewer
 * @property {(messageId: number) => Promise<any>} markAsRead
 */

/**
 * @typedef {object} LaneState
 * @property {boolean} isOpen
 * @property {readonly any[]} messages
 * @property {boolean} hasOlder
 * @property {boolean} hasNewer
 * @property {number} unread
 * @property {number} readUpTo the last message that the user has read
 * @property {number | null} unreadFrom from this message on the user marked all as unread
 */

/** Returns the last message that the user has read; before any, the last one from before the user joined. */
export const readUpTo = (chat, me) =>
  chat.last_read_message_id ?? chat.members.find(({ id }) => id === me?.id)?.read_from_message_id ?? 0;

/** The timeline of a chat. @returns {Lane} */
export const timelineOf = (client, chatId) => ({
  key: chatId,
  chatId,
  root: null,
  select: (state) => {
    const chat = state.chats.get(chatId);
    return {
      isOpen: state.isOpen(chatId),
      messages: state.messages(chatId),
      hasOlder: state.hasOlder(chatId),
      hasNewer: state.hasNewer(chatId),
      unread: chat?.unread_count ?? 0,
      readUpTo: chat ? readUpTo(chat, state.me) : 0,
      unreadFrom: chat?.me?.unread_from ?? null,
    };
  },
  has: ({ chat, thread, also_in_chat }) => chat === chatId && (!thread || also_in_chat),
  openNewest: () => client.openNewest(chatId),
  openAt: (messageId) => client.openAt(chatId, messageId),
  loadOlder: () => client.loadOlder(chatId),
  loadNewer: () => client.loadNewer(chatId),
  markAsRead: (messageId) => client.markAsRead(chatId, messageId),
});

const NONE = Object.freeze([]);

/** The replies of a thread. @returns {Lane} */
export const repliesOf = (client, chatId, root) => ({
  key: -root,
  chatId,
  root,
  select: (state) => {
    const thread = state.thread(root);
    return {
      isOpen: thread?.isOpen ?? false,
      messages: thread?.messages ?? NONE,
      hasOlder: thread?.hasOlder ?? true,
      hasNewer: thread?.hasNewer ?? false,
      unread: thread?.unread ?? 0,
      readUpTo: thread?.last_read_message_id ?? 0,
      unreadFrom: null,
    };
  },
  has: ({ thread }) => thread === root,
  openNewest: () => client.openNewestReplies(root),
  openAt: (messageId) => client.openThreadAt(root, messageId),
  loadOlder: () => client.loadOlderReplies(root),
  loadNewer: () => client.loadNewerReplies(root),
  markAsRead: (messageId) => client.markThreadAsRead(root, messageId),
});
