// Pure rules over chats, members and messages. They compute what the server computes.

/** How many members a chat lists, and how many readers a message lists. */
export const MAX_LISTED = 100;

export const idOf = ({ id }) => id;
export const isAdmin = ({ role }) => role === "admin";
const isPinned = ({ me }) => Boolean(me?.is_pinned);

/** Compares times as the server writes them. Their `Z` would sort whole seconds behind fractions. */
const isLater = (time, than) => time.slice(0, -1) > than.slice(0, -1);
export const laterOf = (a, b) => (isLater(b, a) ? b : a);

/** The order of the chat list: pinned chats first, then the latest activity first. */
export function byActivity(a, b) {
  if (isPinned(a) !== isPinned(b)) return isPinned(a) ? -1 : 1;
  if (a.updated_at === b.updated_at) return b.id - a.id;
  return isLater(a.updated_at, b.updated_at) ? -1 : 1;
}

/** Returns the index of the message with an id, or the index where it belongs. */
export function indexOfId(messages, id) {
  let low = 0;
  for (let high = messages.length; low < high;) {
    const middle = (low + high) >> 1;
    if (messages[middle].id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the title that the server gives to a chat without one of its own. */
export function automaticTitle({ chat_type, members, member_count }, me) {
  const names = members
    .filter(({ id }) => id !== me?.id)
    .slice(0, 3)
    .map((member) => member.display_name);
  if (chat_type === "dm" || names.length === 0) return names[0] ?? members[0]?.display_name ?? "";
  const more = member_count - 1 - names.length;
  return names.join(", ") + (more > 0 ? `, +${more}` : "");
}

/** Adds a reader to a message. `read_by` keeps the sender first, then the others in the chat's member order. */
export function withReader(message, user, members) {
  if (message.is_deleted || message.read_by.includes(user)) return message;
  const order = (id) => members.findIndex((member) => member.id === id);
  const index = message.read_by.findIndex((id, index) => index > 0 && order(id) > order(user));
  const read_by = [...message.read_by];
  read_by.splice(index < 0 ? read_by.length : index, 0, user);
  return { ...message, read_by: read_by.slice(0, MAX_LISTED), read_count: message.read_count + 1 };
}

/** Removes a reader who has left the chat. The sender stays. */
export function withoutReader(message, user) {
  if (message.sender.id === user || !message.read_by.includes(user)) return message;
  const read_by = message.read_by.filter((id) => id !== user);
  return { ...message, read_by, read_count: message.read_count - 1 };
}

/** Returns members after additions, removals and changes. `gone` includes added users: they may rejoin. */
export function updateMembers(members, gone, { added, changed }) {
  const kept = members
    .filter(({ id }) => !gone.includes(id))
    .map((member) => changed.find(({ id }) => id === member.id) ?? member);
  for (const member of added) {
    let index = kept.length;
    while (index > 0 && isLater(kept[index - 1].joined_at, member.joined_at)) index--;
    kept.splice(index, 0, member);
  }
  return kept;
}

/** Returns a message with the card of a user replaced: as its sender, in its quote, and of what it forwards. */
export function withSender(message, userId, replaced, names = ["reply_to", "forwarded_from"]) {
  if (!message) return message;
  const change = (part) => (part?.sender.id === userId ? { ...part, sender: replaced(part.sender) } : part);
  const changed = change(message);
  const parts = names.filter((name) => message[name] && change(message[name]) !== message[name]);
  if (parts.length === 0) return changed;
  return { ...changed, ...Object.fromEntries(parts.map((name) => [name, change(message[name])])) };
}

/** Whether a message mentions a user who is connected. */
export function isMention({ mentions }, me) {
  return Boolean(mentions) && (mentions.everyone || mentions.here || mentions.users.some(({ id }) => id === me?.id));
}

/** The longest excerpt in a quote, in characters. */
const EXCERPT = 200;

/** Returns what a message shows of another one that it replies to, as the server does. */
export function quoteOf({ id, sender, content, forwarded_from = null, is_deleted = false }) {
  // A character takes at most two UTF-16 units.
  const text = content || forwarded_from?.content || "";
  const excerpt = [...text.slice(0, 2 * EXCERPT)].slice(0, EXCERPT).join("");
  return { id, sender, excerpt, is_deleted };
}

/** Returns a message with its quote replaced, if it quotes the same message and shows something else of it. */
export function withQuote(message, quote) {
  const { id, excerpt, is_deleted } = message.reply_to ?? {};
  const isSame = id !== quote.id || (excerpt === quote.excerpt && is_deleted === quote.is_deleted);
  return isSame ? message : { ...message, reply_to: quote };
}
