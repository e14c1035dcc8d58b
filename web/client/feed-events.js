// What each event of the feed changes in the store. Applied twice, an event changes nothing more: the `seq` of the chat or
// message already includes it.

import { isInTimeline } from "./message-windows.js";
import { MAX_LISTED, automaticTitle, idOf, isAdmin, isMention, laterOf, updateMembers, withReader, withSender, withoutReader } from "./chat-rules.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("../greenroom.d.ts").FeedEvent} FeedEvent
 */

const HANDLERS = new Map([
  ["new_message", onNewMessage],
  ["message_updated", onMessageUpdated],
  ["message_deleted", onMessageDeleted],
  ["pins_changed", onPinsChanged],
  ["thread_followed", onOwnThread],
  ["thread_read", onOwnThread],
  ["mentions_changed", onMentionsChanged],
  ["reaction_updated", onReactionUpdated],
  ["read", onRead],
  ["me_updated", onMeUpdated],
  ["draft_changed", onDraftChanged],
  ["typing", onTyping],
  ["members_changed", onMembersChanged],
  ["chat_created", onChatCreated],
  ["chat_updated", onChatUpdated],
  ["chat_deleted", onChatDeleted],
  ["resync", onResync],
  ["user_merged", onUserMerged],
  ["user_updated", onUserUpdated],
  ["presence", onPresence],
]);

/** Applies an event to the store. Unknown types are ignored. @param {Store} store @param {FeedEvent} event */
export function applyEvent(store, event) {
  if (store.rooms.has(event.chat_id) && event.type !== "chat_created") onRoomEvent(store, event);
  else HANDLERS.get(event.type)?.(store, event);
}

/** @param {Store} store @param {any} event */
function onNewMessage(store, event) {
  const { chat_id: id, seq, message } = event;
  store.takeMessage(message);
  if (message.thread) onNewReply(store, event);
  if (!isInTimeline(message)) return void store.updateChat(id, () => ({}), seq);
  store.typingUsers.set(id, message.sender.id, false);
  if (!store.chats.has(id)) return store.markStale(id);
  const isNew = store.updateChat(
    id,
    ({ last_message, updated_at }) => ({
      last_message: last_message?.id > message.id ? last_message : message,
      updated_at: laterOf(updated_at, message.created_at),
    }),
    seq,
  );
  if (isNew) store.countUnread(message, 1);
}

/** @param {Store} store @param {any} event */
function onNewReply(store, { seq, message, thread_info }) {
  store.typingUsers.set(message.chat, message.sender.id, false, message.thread);
  store.knownThreads.addReply(message, seq, store.mayCount(message), isMention(message, store.me));
  setThreadInfo(store, message, seq, thread_info);
}

/** Shows the state of a thread on its root. */
function setThreadInfo(store, { chat, thread }, seq, thread_info = undefined) {
  if (thread_info === undefined) return;
  // After a disconnect the root came by itself, and a reply may have a later number than its root.
  const isKnown = (root) => JSON.stringify(root.thread_info) === JSON.stringify(thread_info);
  store.updateMessages(chat, (root) => (root.seq < seq && !isKnown(root) ? { ...root, thread_info, seq } : root), thread);
}

/** @param {Store} store @param {any} event */
function onOwnThread(store, event) {
  store.knownThreads.takeOwn(event);
  store.updateChat(event.chat_id, () => ({}), event.seq);
}

/** @param {Store} store @param {any} event */
function onMessageUpdated(store, { chat_id: id, seq, message }) {
  reviewMentions(store, message);
  store.putMessage(message);
  store.updateQuotes(message);
  store.updateChat(id, () => ({}), seq);
}

/** @param {Store} store @param {any} event */
function onMessageDeleted(store, { chat_id: id, seq, message, last_message, thread_info }) {
  reviewMentions(store, message);
  store.takeMessage(message);
  store.updateQuotes(message);
  // `pins_changed` says so too, unless the connection broke in between.
  store.changePins(id, [], [message.id]);
  if (message.thread) {
    store.knownThreads.removeReply(message, seq, store.mayCount(message));
    setThreadInfo(store, message, seq, thread_info);
  }
  if (!isInTimeline(message)) return void store.updateChat(id, () => ({}), seq);
  const change = ({ updated_at }) => ({ last_message, updated_at: laterOf(updated_at, message.created_at) });
  if (store.updateChat(id, change, seq)) store.countUnread(message, -1);
  // Only a loaded chat shows whether the message was unread.
  else if (!store.chats.has(id) && store.unreadIn(id) > 0) store.markStale(id);
}

/** Loads a thread of a large chat again where a change of a reply mentions a group, or no longer: no event has its counts. */
function reviewMentions(store, { id, chat: chatId, thread, mentions }) {
  const chat = store.chats.get(chatId);
  if (!thread || !chat || chat.member_count <= MAX_LISTED || store.isCatchingUp) return;
  const known = store.message(id)?.mentions;
  const isSame = (group) => Boolean(known?.[group]) === Boolean(mentions?.[group]);
  if (known ? isSame("everyone") && isSame("here") : !mentions?.everyone && !mentions?.here) return;
  store.knownThreads.markStale(thread);
}

/** @param {Store} store @param {any} event */
function onPinsChanged(store, { chat_id: id, seq, added, removed }) {
  store.changePins(id, added, removed);
  store.updateChat(id, () => ({}), seq);
}

/** The user is mentioned by an edited message, or no longer. @param {Store} store @param {any} event */
function onMentionsChanged(store, { chat_id: id, seq, unread_mentions }) {
  const isLater = !(seq < store.chats.get(id)?.seq);
  if (isLater) store.setUnread(id, store.unreadIn(id), unread_mentions);
  store.updateChat(id, () => ({}), seq);
}

/** @param {Store} store @param {any} event */
function onReactionUpdated(store, { chat_id: id, seq, message_id, reactions }) {
  store.updateMessages(id, (copy) => (copy.seq < seq ? { ...copy, reactions, seq } : copy), message_id);
  store.updateChat(id, () => ({}), seq);
}

/** @param {Store} store @param {any} event */
function onRead(store, { chat_id: id, seq, user_id: user, last_read_message_id: upTo, unread_count = 0, unread_mentions = 0, me }) {
  const chat = store.chats.get(id);
  const member = chat?.members.find((member) => member.id === user);
  const from = member?.read_from_message_id ?? 0;
  // In chats without read receipts the event has no `seq`, and only the reader receives it.
  if (chat && seq !== undefined) {
    const isReached = (copy) => from < copy.id && copy.id <= upTo && isInTimeline(copy);
    store.updateMessages(id, (copy) => (isReached(copy) ? withReader(copy, user, chat.members) : copy));
  }
  if (member && !(member.last_read_message_id >= upTo)) {
    const moved = { ...member, last_read_message_id: upTo };
    store.updateChat(id, ({ members }) => ({ members: members.map((other) => (other === member ? moved : other)) }));
  }
  if (user === store.me?.id && !(chat?.last_read_message_id >= upTo)) {
    store.updateChat(id, () => ({ last_read_message_id: upTo }));
    store.setUnread(id, unread_count, unread_mentions);
  }
  // Reading clears `unread_from`. Without a `seq`, a `me_updated` event brings that.
  if (me && seq > chat?.seq) store.updateChat(id, () => ({ me }));
  if (seq !== undefined) store.updateChat(id, () => ({}), seq);
}

/** @param {Store} store @param {any} event */
function onMeUpdated(store, { chat_id: id, seq, me, unread_count, unread_mentions = 0 }) {
  const isLoaded = store.chats.has(id);
  if (store.updateChat(id, () => ({ me }), seq) || !isLoaded) store.setUnread(id, unread_count, unread_mentions);
  // The chat may be pinned now, which moves it to the top of the list.
  if (!isLoaded) store.markStale(id);
}

/** @param {Store} store @param {any} event */
function onDraftChanged(store, { chat_id: id, thread, draft }) {
  store.savedDrafts.put(id, thread, draft);
}

/** @param {Store} store @param {any} event */
function onTyping(store, { chat_id: id, user_id, is_typing, thread = null }) {
  store.typingUsers.set(id, user_id, is_typing, thread);
}

/** @param {Store} store @param {any} event */
function onMembersChanged(store, event) {
  const { chat_id: id, seq, added, removed, changed, member_count } = event;
  const gone = [...removed, ...added.map(idOf)];
  for (const user of gone) store.updateMessages(id, (message) => withoutReader(message, user));
  store.updateChat(
    id,
    (chat) => {
      const areAllListed = chat.members.length >= chat.member_count;
      const members = updateMembers(chat.members, gone, areAllListed ? event : { added: [], changed });
      const others = chat.admins.filter((user) => !gone.includes(user) && !changed.some(({ id }) => id === user));
      const admins = areAllListed
        ? members.filter(isAdmin).map(idOf)
        : [...others, ...[...added, ...changed].filter(isAdmin).map(idOf)];
      const my_role = changed.find((member) => member.id === store.me?.id)?.role ?? chat.my_role;
      return { members: members.slice(0, MAX_LISTED), member_count, admins, my_role };
    },
    seq,
  );
  const chat = store.chats.get(id);
  // A user who took the place of a guest may have that guest's read marker.
  const isOwn = removed.length > 0 && changed.some((member) => member.id === store.me?.id);
  if (chat && (isOwn || chat.members.length < Math.min(MAX_LISTED, chat.member_count))) store.markStale(id);
}

/** A guest became a user with an account. @param {Store} store @param {any} event */
function onUserMerged(store, { chat_id: id, seq, from, user }) {
  // What was forwarded keeps its sender.
  const merged = (message) => withSender(message, from, () => user, ["reply_to"]);
  store.updateMessages(id, merged);
  store.typingUsers.set(id, from, false);
  store.updateChat(id, ({ last_message }) => ({ last_message: merged(last_message) }), seq);
  // What is unread may be different now.
  if (user.id !== store.me?.id) return;
  store.knownThreads.review(id);
  if (store.chats.has(id)) store.markStale(id);
}

/** @param {Store} store @param {any} event */
function onChatCreated(store, { chat_id: id, chat }) {
  if (!(store.chats.get(id)?.seq > chat.seq)) store.takeChat(chat);
  // A user who rejoins has missed the messages in between.
  if (store.isOpen(id) || store.openThreads(id).length > 0) store.markStale(id);
  store.knownThreads.review(id);
}

/** @param {Store} store @param {any} event */
function onChatUpdated(store, { chat_id: id, seq, chat }) {
  const change = (known) => {
    const changed = { ...known, ...chat, updated_at: laterOf(known.updated_at, chat.updated_at) };
    return { ...changed, title: chat.title ?? automaticTitle(changed, store.me) };
  };
  store.updateChat(id, change, seq);
}

/** @param {Store} store @param {any} event */
function onChatDeleted(store, { chat_id: id }) {
  store.dropChat(id);
}

/** @param {Store} store @param {any} event */
function onResync(store, { chat_id: id }) {
  // A load in progress may predate this event; after a finished one, a second load changes nothing.
  store.markStale(id);
  store.knownThreads.review(id);
}

/** @param {Store} store @param {any} event */
function onUserUpdated(store, { user }) {
  if (user.id === store.me?.id) store.takeMe(user);
  const updated = (other) => (other.id === user.id ? { ...other, ...user } : other);
  for (const [id, { members }] of store.chats) {
    store.updateMessages(id, (message) => withSender(message, user.id, updated));
    if (members.some(({ id }) => id === user.id)) store.updateChat(id, () => ({ members: members.map(updated) }));
  }
}

/** @param {Store} store @param {any} event */
function onPresence(store, { user_id, is_online, last_seen }) {
  store.presences.set(user_id, is_online, last_seen);
}

/** Applies an event to a watched room that the user is not in. @param {Store} store @param {any} event */
function onRoomEvent(store, { type, chat_id: id, seq, chat, member_count }) {
  const room = store.rooms.get(id);
  // After leaving, the room may have been loaded with the leave already in it.
  if (!room || seq <= room.seq) return;
  if (type === "chat_deleted") return store.dropRoom(id);
  const changes = type === "chat_updated" ? chat : { member_count: member_count ?? room.member_count };
  store.rooms.set(id, { ...room, ...changes, last_message: null, seq });
  store.chatChanged(id);
}
