/**
 * Greenroom's client for browsers and Node 20 or newer. API objects keep the API's names (`display_name`); names of the
 * client itself are in camel case. All ids are numbers, all times RFC 3339 in UTC.
 */

// ------------------------------------------------------------------------------------------------------- API objects

export interface User {
  id: number;
  username: string;
  display_name: string;
  avatar_url: string;
  /** Whether the user is a guest, without an account. */
  is_guest: boolean;
}

/** Data of the host. Names that begin with `_` are for staff only. */
export type Custom = Record<string, unknown>;

/** A user shown on their own, not as a member or a sender. */
export interface Profile extends User {
  custom: Custom;
}

/** A user as shown to that user and to staff. */
export interface OwnUser extends Profile {
  /** The URL that the user has set, if `avatar_url` is the server's proxy for it. */
  avatar_source?: string;
  email: string;
  first_name: string;
  last_name: string;
  is_staff: boolean;
  is_active: boolean;
  /** The user's id at an identity provider or in the host application. */
  external_id: string | null;
}

/** One of the user's own sessions: a signed-in browser. */
export interface Session {
  /** Identifies the session. It is not a credential. */
  id: number;
  created_at: string;
  /** The last use, accurate to some ten minutes. */
  last_seen: string | null;
  /** The IP address of the last use; empty if unknown. */
  address: string;
  /** The `User-Agent` of the last use, at most 200 characters. */
  user_agent: string;
  /** Whether this request uses it. */
  is_current: boolean;
  /** When it expires if it is not used. */
  expires_at: string;
}

/** One of the user's own access tokens, without its key. */
export interface AccessToken extends Omit<Session, "expires_at"> {
  /** Null: it does not expire. */
  expires_at: string | null;
}

export interface FoundUser extends Profile {
  email: string;
}

export type Role = "admin" | "member";

export interface ChatMember extends User {
  role: Role;
  joined_at: string;
  /** Messages up to this one are read; null: none. */
  last_read_message_id: number | null;
  /** The newest message when the member joined; null for members from the start. */
  read_from_message_id: number | null;
}

export interface Reaction {
  emoji: string;
  count: number;
  /** The first 100 users. */
  users: number[];
}

export interface Message {
  id: number;
  chat: number;
  /** Plain text, not escaped: never render it as HTML. Empty in a deleted message. */
  content: string;
  created_at: string;
  updated_at: string;
  is_edited: boolean;
  is_deleted: boolean;
  sender: User;
  reactions: Reaction[];
  /** The first 100 readers, the sender first. */
  read_by: number[];
  read_count: number;
  client_id: string | null;
  custom: Custom;
  /** The message that it replies to, as that one is now. */
  reply_to: Quote | null;
  /** The text of another message that it forwards, as it was then. `content` may then be empty. */
  forwarded_from: Forwarded | null;
  /** The root of the thread that it replies in. */
  thread: number | null;
  /** Whether a reply in a thread is in the timeline of the chat as well. */
  also_in_chat: boolean;
  /** On roots: the state of the thread. Null if it has no reply. */
  thread_info: ThreadInfo | null;
  mentions: Mentions;
  /** The files that it shows. `content` may then be empty. */
  attachments: Attachment[];
  /** Previews of the pages that its text links to. They come after it is sent, with `message_updated`. */
  previews: Preview[];
  seq: number;
}

/** What a page that a message links to says of itself. */
export interface Preview {
  /** The link, as the text has it. */
  url: string;
  title: string;
  /** May be empty. */
  description: string;
  /** The name of the site, or its host. */
  site: string;
  /** The page's picture, through the server. */
  image_url: string | null;
  width: number | null;
  height: number | null;
}

/** A file of a message. */
export interface Attachment {
  /** The id of the upload. */
  id: number;
  name: string;
  /** In bytes, as it is served. */
  size: number;
  /** As the bytes say, not the name. */
  content_type: string;
  /** Hash of the bytes that are served, in hexadecimal. */
  sha256: string;
  /** Of pictures, in pixels; else null. */
  width: number | null;
  height: number | null;
  /** A picture's colours as a short text: blurha.sh. */
  blurhash: string | null;
  /** A description of a picture; may be empty. */
  alt: string;
  /** Others can fetch it once it is `clean`. A `blocked` one is gone. */
  state: "clean" | "scanning" | "blocked";
  /** Where it is fetched, with the user's credential; null while others cannot. */
  url: string | null;
  /** Smaller versions of a picture, the smallest first. */
  thumbnails: { width: number; height: number; url: string }[];
}

/** An attachment of a chat, with its message. */
export interface ChatFile extends Attachment {
  message: number;
  sender: User;
  created_at: string;
}

/** A reserved upload. */
export interface Upload {
  id: number;
  /** Where the bytes are sent by PUT, with these headers. */
  put_url: string;
  headers: Record<string, string>;
  /** Until when sending must have begun. */
  expires_at: string;
}

export interface UploadOptions {
  /** Default: the file's own. */
  name?: string;
  /** A description of a picture. */
  alt?: string;
  /** Receives how much was sent, from 0 to 1. */
  onProgress?: (progress: number) => void;
  /** Aborting cancels the upload. */
  signal?: AbortSignal;
}

/** Who is mentioned. */
export interface Mentions {
  /** `at`: where the content names the user, in code points; the end is exclusive. */
  users: { id: number; at?: [number, number] }[];
  /** All members. */
  everyone: boolean;
  /** The members who were connected. */
  here: boolean;
}

/** What the root of a thread shows of it. Deleted replies do not count. */
export interface ThreadInfo {
  reply_count: number;
  last_reply_at: string | null;
  /** The first 5 users who replied. */
  participants: number[];
  participant_count: number;
}

/** The user's own state of a thread. */
export interface OwnThread {
  is_followed: boolean;
  /** Replies of others after the read marker. 0 if the user does not follow the thread. */
  unread: number;
  /** Those that mention the user. */
  mentions: number;
  /** The last reply that is read; null: none. */
  last_read_message_id: number | null;
}

/** A thread as the API returns it. */
export interface FoundThread extends OwnThread {
  root: Message;
  chat: Pick<Chat, "id" | "title" | "chat_type">;
  /** The newest reply that is not deleted. */
  last_reply: Message | null;
}

/** Unread replies in a thread. */
export interface UnreadThread {
  chat: number;
  unread: number;
  mentions: number;
}

/** The text that a message forwards. */
export interface Forwarded {
  sender: User;
  content: string;
}

/** What a message shows of the message that it replies to. */
export interface Quote {
  id: number;
  sender: User;
  /** The first 200 characters. Empty if the message is deleted. */
  excerpt: string;
  is_deleted: boolean;
}

/** The user's own settings of a chat. */
export interface Me {
  /** The chat is muted until this time. */
  muted_until: string | null;
  /** Pinned chats come first. */
  is_pinned: boolean;
  /** Messages of other users from this one on count as unread, until the user reads them. */
  unread_from: number | null;
  /** The messages of which the user is notified. By default `all`, and in rooms `mentions`. */
  notify: NotificationLevel;
}

export type NotificationLevel = "all" | "mentions" | "none";

/** A message that the user has begun to write. Only the user sees it. */
export interface Draft {
  chat_id: number;
  /** The root of the thread that it belongs to; null: the chat's timeline. */
  thread: number | null;
  content: string;
  reply_to: number | null;
  updated_at: string;
}

/** What a draft is to contain. */
export interface DraftFields {
  content?: string;
  /** The id of the message that it replies to. */
  reply_to?: number | null;
  mentions?: Partial<Mentions>;
}

/** Which draft of a chat, and whose. */
export interface DraftOptions {
  /** The root of a thread. Default: the chat's timeline. */
  thread?: number | null;
  /** The id of the user who typed it. The server refuses the request of another user. */
  user?: number;
}

/** What guests may do in a room. */
export type GuestAccess = "none" | "read" | "write";

export interface Chat {
  id: number;
  title: string;
  chat_type: "dm" | "group" | "room";
  created_at: string;
  updated_at: string;
  last_message: Message | null;
  /** The first 100 members, in the order of joining. */
  members: ChatMember[];
  member_count: number;
  admins: number[];
  seq: number;
  custom: Custom;
  last_read_message_id: number | null;
  unread_count: number;
  /** Unread messages that mention the user. */
  unread_mentions: number;
  my_role: Role | null;
  /** Null in a room that the user is not in. */
  me: Me | null;
  /** For rooms only. */
  object?: { type: string; id: string } | null;
  is_public?: boolean;
  guest_access?: GuestAccess;
  is_member?: boolean;
}

export interface Page<T> {
  count: number;
  next: string | null;
  previous: string | null;
  results: T[];
}

export interface FoundMessage extends Message {
  /** Positions of the words in `content`, in characters; the end is exclusive. */
  highlights: [number, number][];
}

export interface FoundPage extends Page<FoundMessage> {
  /** False if the search stopped early: `next` continues it. */
  is_complete: boolean;
}

/** An event as the server sends it. Its fields depend on `type`: see the live events in API.md. */
export interface FeedEvent {
  type: string;
  chat_id?: number;
  seq?: number;
  [field: string]: any;
}

export interface Snapshot {
  chats: Chat[];
  /** The `seq` of the latest change of each chat. */
  heads: Record<string, number>;
  unread: Record<string, number>;
  /** Unread mentions by chat. */
  chat_mentions: Record<string, number>;
  /** Followed threads with unread replies, by the id of the root. */
  threads: Record<string, UnreadThread>;
  /** Online users with whom the user shares a dm; and when users were last seen, by id. */
  users_online: number[];
  last_seen: Record<string, string>;
}

export interface News {
  events: FeedEvent[];
  heads: Record<string, number>;
  unread: Record<string, number>;
  /** Unread mentions by chat. */
  chat_mentions: Record<string, number>;
  threads: Record<string, UnreadThread>;
  removed: number[];
}

/** The profile fields that users may change themselves. A new `password` needs `old_password`. */
export interface ProfileFields {
  first_name?: string;
  last_name?: string;
  /** Empty: the server draws a picture. */
  avatar_url?: string;
  password?: string;
  old_password?: string;
  /** Merged into the present data: null removes a name, and instead of the object all names. */
  custom?: Custom | null;
}

/** The server's settings. */
export interface Settings {
  allow_editing: boolean;
  allow_deleting: boolean;
  allow_reactions: boolean;
  allow_renaming_dms: boolean;
  allow_renaming_rooms: boolean;
  /** Whether clients show a placeholder for deleted messages. */
  show_deleted: boolean;
  message_history: "off" | "staff" | "members";
  /** Which users non-staff may find, start chats with, and add. */
  contacts: "all" | "staff-only-start" | "shared-chat";
  receipts_max_members: number;
  max_message_length: number;
  max_title_length: number;
  /** Whether messages may have attachments. */
  uploads: boolean;
  /** The largest file, in bytes. */
  file_max_bytes: number;
  /** Most uploads of a user that were not sent. */
  uploads_pending_max: number;
  /** Most attachments of a message. */
  attachments_max: number;
  /** Content types that are allowed; empty: all. */
  file_types: string[];
  server_version: string;
}

export interface UserFields {
  username: string;
  password?: string;
  email?: string;
  first_name?: string;
  last_name?: string;
  avatar_url?: string;
  external_id?: string;
  custom?: Custom | null;
}

// ----------------------------------------------------------------------------------------------------------- Options

/** The part of `localStorage` that the client uses. */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface Options {
  /** Scheme, host and port of the server; by default the page's own. */
  baseUrl?: string;
  /**
   * The user's token, or a function that fetches one: a JSON Web Token of the identity provider, or a key from the host's
   * own server. It is called again before a JSON Web Token ends, and when a token has expired or was revoked. Without a token the session's cookie is sent.
   */
  token?: string | (() => string | Promise<string>);
  /** Storage of unsent messages, which outlive a reload. By default `localStorage` in browsers, else none; null: none. */
  storage?: StorageLike | null;
  /** How many messages of an open chat stay loaded, at least 100. 1,000 by default. Loading older ones raises it. */
  maxMessages?: number;
  /** A WebSocket constructor, for Node 20, which has none. Without one, or with null, the client polls. */
  WebSocket?: (new (url: string, protocols?: string[]) => any) | null;
  fetch?: typeof globalThis.fetch;
  timing?: Timing;
  /** Returns a random number from 0 up to 1, for backoff jitter. */
  random?: () => number;
}

/** All in milliseconds. */
export interface Timing {
  /** Timeout of opening a socket, until the server's hello. 10,000 */
  openWithin?: number;
  /** If no socket is open after this time, the client starts to poll. 2,000 */
  pollAfter?: number;
  /** A command falls back to REST if no frame arrives over the socket within this time. 3,000 */
  silence?: number;
  /** A ping is sent after so long without a frame. 25,000 */
  pingEvery?: number;
  /** The socket is closed if no frame follows a ping within this time. 10,000 */
  pongWithin?: number;
  /** Timeout of a command over the socket. 30,000 */
  answerWithin?: number;
  /** The longest first backoff after a failure. It doubles with each further failure. 1,000 */
  backoff?: number;
  /** The longest backoff. 30,000 */
  backoffMax?: number;
  /** A socket that was live for this long resets the backoff. 10,000 */
  steadyAfter?: number;
  /** While polling, the client retries a socket with a backoff up to this. 60,000 */
  socketAgainEvery?: number;
  /** While polling, watched rooms are reloaded at this interval. 5,000 */
  lookEvery?: number;
}

// ------------------------------------------------------------------------------------------------------------ Errors

export class GreenroomError extends Error {
  /** The HTTP status, also for commands over the socket; 0 if no answer arrived. */
  readonly status: number;
  /** One sentence; the same as `message`. */
  readonly detail: string;
  /** Of a 400: sentences by field. */
  readonly fields: Record<string, string[]>;
  /** Seconds to wait before a retry, if the server sent `Retry-After`. */
  readonly retryAfter: number | null;
  /** Whether a retry would be refused as well. */
  readonly isFinal: boolean;
}

// -------------------------------------------------------------------------------------------------------------- REST

export interface ListQuery {
  page?: number;
  page_size?: number;
}

/** Values in the custom data, by the names in `GREENROOM_CUSTOM_KEYS`. */
export type CustomQuery = { [name: `custom.${string}`]: string | number | boolean };

/** Where words match: anywhere, or at the beginning of words. */
export type Match = "substring" | "prefix";

export interface MessagesQuery extends ListQuery {
  before?: number;
  after?: number;
  /** A day in UTC, or a time as in RFC 3339: the first message at that time or after it is the oldest of the page. */
  at?: string;
  search?: string;
  match?: Match;
}

/** The REST API: a method for each endpoint. All reject with `GreenroomError`. */
export class Api {
  constructor(options?: Options);
  /** The server's origin. */
  readonly base: string;

  /**
   * Returns the server's time in milliseconds since 1970, to about a second, from the latest answer. It does not depend on
   * the device's clock.
   */
  now(): number;

  /**
   * Sends any request. A path without a leading `/` is relative to `/messages/api/`. `timeout` is in milliseconds. With
   * `keepalive` the request outlives the page.
   */
  request(
    method: string,
    path: string,
    options?: {
      query?: Record<string, unknown>;
      body?: unknown;
      signal?: AbortSignal;
      timeout?: number;
      keepalive?: boolean;
    },
  ): Promise<any>;

  login(username: string, password: string): Promise<OwnUser>;
  logout(): Promise<null>;
  register(fields: Omit<UserFields, "custom" | "external_id"> & { password: string }): Promise<OwnUser>;

  /** Creates a guest, without authentication. The key is a token. */
  createGuest(fields?: { display_name?: string }): Promise<{ user: OwnUser; key: string; expires_in: number }>;
  /** Takes over a guest: chats and messages become the user's. Resolves once all of them are. */
  claimGuest(key: string): Promise<{ merged_from: number; is_done: true }>;

  chats(query?: ListQuery & CustomQuery & { search?: string; match?: Match; chat_type?: Chat["chat_type"] }): Promise<Page<Chat>>;
  chat(id: number): Promise<Chat>;
  createChat(fields: {
    chat_type: Chat["chat_type"];
    title?: string | null;
    member_ids?: number[];
    object_type?: string;
    object_id?: string;
    is_public?: boolean;
    guest_access?: GuestAccess;
    custom?: Custom;
  }): Promise<Chat>;
  /** Merges data into a chat's: null removes a name, and instead of the object all names. */
  setChatCustom(id: number, custom: Custom | null): Promise<Chat>;
  /** `null` or `""` restores the automatic title. */
  renameChat(id: number, title: string | null): Promise<Chat>;
  deleteChat(id: number): Promise<null>;
  rooms(query?: ListQuery & { search?: string; match?: Match; object_type?: string; object_id?: string }): Promise<Page<Chat>>;
  /** Changes the user's own settings: mutes, pins, marks as unread, chooses the level. Fields that are not given stay. */
  setMe(id: number, fields: Partial<Me>): Promise<Chat>;
  joinChat(id: number): Promise<Chat>;
  leaveChat(id: number): Promise<null>;

  messages(chatId: number, query?: MessagesQuery): Promise<Page<Message>>;
  message(id: number): Promise<Message>;
  /** Prefer `Greenroom.send`, which retries and never loses the message. */
  sendMessage(
    chatId: number,
    fields: {
      content?: string;
      client_id?: string;
      reply_to?: number | null;
      forward?: number | null;
      thread?: number | null;
      also_in_chat?: boolean;
      mentions?: Partial<Mentions>;
      /** The ids of complete uploads. `content` may then be empty. */
      attachments?: number[];
      custom?: Custom;
    },
  ): Promise<Message>;
  /** Without `mentions`, those of the message stay. */
  editMessage(id: number, content: string, mentions?: Partial<Mentions>): Promise<Message>;
  /** Merges data into a message's: null removes a name, and instead of the object all names. */
  setMessageCustom(id: number, custom: Custom | null): Promise<Message>;
  deleteMessage(id: number): Promise<null>;
  createUpload(fields: { name: string; size: number; chat: number; sha256?: string; alt?: string }, options?: { signal?: AbortSignal }): Promise<Upload>;
  /** Returns the attachment once all bytes have arrived. */
  completeUpload(id: number, options?: { signal?: AbortSignal }): Promise<Attachment>;
  /** Changes the description of a picture that was not sent yet. */
  updateUpload(id: number, fields: { alt: string }): Promise<Attachment>;
  cancelUpload(id: number): Promise<null>;
  /** The files of a chat, newest first. */
  files(chatId: number, query?: { before?: number; page_size?: number }): Promise<{ next: string | null; results: ChatFile[] }>;
  /** An address that opens a file without a credential, for 5 minutes. */
  fileLink(id: number): Promise<{ url: string; expires_at: string }>;
  /** The bytes of a file of a message, or of a smaller version. */
  download(url: string): Promise<Blob>;

  /** The texts of a message before its edits, newest first. */
  history(id: number): Promise<{ results: { content: string; at: string }[] }>;
  /** The pinned messages, the one pinned last first. */
  pins(chatId: number): Promise<{ results: Message[] }>;
  pin(chatId: number, messageId: number): Promise<Message>;
  /** Removes a preview of an own message, by its index. */
  removePreview(messageId: number, index: number): Promise<null>;
  unpin(chatId: number, messageId: number): Promise<null>;
  search(q: string, query?: ListQuery & { chat?: number; before?: number; after?: number; match?: Match }): Promise<FoundPage>;

  /** The user's drafts, the latest first. */
  drafts(): Promise<{ results: Draft[] }>;
  /** Saves a draft. An empty one is removed: then the result is null. */
  saveDraft(chatId: number, fields: DraftFields, options?: DraftOptions & { keepalive?: boolean }): Promise<Draft | null>;
  removeDraft(chatId: number, options?: DraftOptions): Promise<null>;
  /** The replies of a thread, newest first. */
  replies(root: number, query?: ListQuery & { before?: number; after?: number }): Promise<Page<Message>>;
  /** The messages that mention the user, newest first. */
  mentions(query?: ListQuery & { unread?: 1 }): Promise<Page<Message>>;
  /** The threads that the user follows, the one with the newest reply first. */
  threads(query?: ListQuery & { unread?: 1 }): Promise<Page<FoundThread>>;
  thread(root: number): Promise<FoundThread>;
  followThread(root: number): Promise<FoundThread>;
  unfollowThread(root: number): Promise<null>;
  /** Marks the replies up to one as read; without `messageId`, all. */
  markThreadAsRead(root: number, messageId?: number): Promise<{ status: "success"; marked_count: number }>;

  toggleReaction(id: number, emoji: string): Promise<Reacted>;
  addReaction(id: number, emoji: string): Promise<Reacted>;
  removeReaction(id: number, emoji: string): Promise<null>;

  /** Marks messages as read up to one; without `messageId`, all. */
  markAsRead(chatId: number, messageId?: number): Promise<{ status: "success"; marked_count: number }>;
  typing(chatId: number, isTyping: boolean, thread?: number): Promise<{ status: "success" }>;
  unread(): Promise<{
    total: number;
    mentions: number;
    chats: Record<string, number>;
    chat_mentions: Record<string, number>;
    threads: Record<string, UnreadThread>;
    threads_total: number;
  }>;

  /** `search`: words in the members' names. */
  members(chatId: number, query?: ListQuery & { search?: string; match?: Match }): Promise<Page<ChatMember>>;
  addMembers(chatId: number, userIds: number[]): Promise<{ status: "success"; added_count: number }>;
  changeRole(chatId: number, userId: number, role: Role): Promise<ChatMember>;
  removeMember(chatId: number, userId: number): Promise<null>;

  me(): Promise<OwnUser>;
  /** Prefer `Greenroom.updateMe`, which keeps `state.me` up to date. */
  updateMe(fields: ProfileFields): Promise<OwnUser>;
  /** The user's sessions, the latest sign-in first. */
  sessions(query?: ListQuery): Promise<Page<Session>>;
  endSession(id: number): Promise<null>;
  /** All but the one that asks. */
  endOtherSessions(): Promise<null>;
  /** The user's valid tokens, the latest first, without their keys. */
  tokens(query?: ListQuery): Promise<Page<AccessToken>>;
  endToken(id: number): Promise<null>;
  /** All but the one that asks. */
  endOtherTokens(): Promise<null>;
  /** Returns `OwnUser` for the user themselves and for staff. */
  user(id: number): Promise<Profile | OwnUser>;
  /** Blocks a user: they cannot open a dm with the caller, or write in it. */
  block(id: number): Promise<User>;
  unblock(id: number): Promise<null>;
  blocked(query?: ListQuery): Promise<Page<User>>;
  searchUsers(q: string, query?: { match?: Match }): Promise<{ results: FoundUser[] }>;

  /** For staff only. */
  /** For staff: all users by id, or the one with an `external_id`. */
  users(query?: ListQuery & CustomQuery & { external_id?: string }): Promise<Page<OwnUser>>;
  createUser(fields: UserFields): Promise<OwnUser>;
  updateUser(id: number, fields: Partial<UserFields> & { is_active?: boolean; is_registered?: false }): Promise<OwnUser>;
  createToken(
    id: number,
    fields?: { expires_in?: number },
  ): Promise<{ id: number; key: string; expires_at: string | null }>;
  deleteTokens(id: number): Promise<null>;
  /** For staff: ends JSON Web Tokens issued until `before`, or without it all credentials of a user. */
  revokeUser(id: number, fields?: { before?: string }): Promise<null>;

  settings(): Promise<Settings>;
  sync(): Promise<Snapshot>;
  /** Returns the changes since `chats`. `wait`: how long to wait for an event, up to 25 seconds. */
  syncSince(known: { chats: Record<string, number>; wait?: number }, options?: { signal?: AbortSignal }): Promise<News>;
}

export interface Reacted {
  action: "added" | "removed";
  emoji: string;
  message_id: number;
}

// ------------------------------------------------------------------------------------------------------------- State

/** A message that is being sent, or was refused. It follows the chat's messages. A change replaces the object. */
export interface OutgoingMessage {
  /** Null: the server has not stored it. */
  readonly id: null;
  readonly chat: number;
  readonly content: string;
  readonly custom: Custom;
  readonly reply_to: Quote | null;
  /** The id of the message that it forwards. */
  readonly forward: number | null;
  readonly forwarded_from: Forwarded | null;
  readonly thread: number | null;
  readonly also_in_chat: boolean;
  readonly mentions: Mentions;
  readonly attachments: Attachment[];
  readonly client_id: string;
  readonly created_at: string;
  readonly sender: User | null;
  readonly status: "sending" | "failed";
  /** Why the server refused it. */
  readonly error: GreenroomError | null;
  /** Resolves with the stored message. Rejects if it is refused or discarded. */
  readonly sent: Promise<Message>;
  /** Sends a failed message again. Returns the object that replaces it. */
  retry(): OutgoingMessage;
  /** Discards it. A request in flight may still deliver it. */
  discard(): void;
}

/** Oldest first. Outgoing messages are last, and have no id. */
export type Messages = readonly (Message | OutgoingMessage)[];

/** A thread that the client knows. A change replaces the object. */
export interface Thread extends Omit<OwnThread, "last_read_message_id"> {
  /** The id of its root. */
  readonly id: number;
  readonly chat: number;
  /** The title of the chat. */
  readonly title: string;
  /** Undefined: not known yet. */
  readonly last_read_message_id: number | null | undefined;
  /** Null until the thread was loaded. */
  readonly root: Message | null;
  readonly last_reply: Message | null;
  /** The replies of an open thread, oldest first, as `State.messages` has those of a chat. The root is not among them. */
  readonly messages: Messages;
  readonly isOpen: boolean;
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
}

/** The client's copy of the user's chats. Objects are replaced when they change, never altered: compare them with `===`. */
export interface State {
  readonly me: OwnUser | null;
  /** Loaded chats: the most recent ones, and those with events since. */
  readonly chats: ReadonlyMap<number, Chat>;
  /** Loaded chats in order: pinned ones first, then the latest activity first. */
  readonly chatList: readonly Chat[];
  /** Watched public rooms that the user is not in. */
  readonly rooms: ReadonlyMap<number, Chat>;
  /** Whether the user has chats that are not loaded. */
  readonly hasMoreChats: boolean;
  /** Chats that have unread messages and are not loaded. They may be muted. */
  readonly unreadElsewhere: readonly number[];
  /** The number of unread messages in all chats. */
  readonly unread: number;
  /** Presence of users with whom the user shares a dm. */
  readonly presence: ReadonlyMap<number, { is_online: boolean; last_seen: string | null }>;
  /**
   * Messages of an open chat, oldest first and without gaps, deleted ones included. They end with the newest message and
   * the outgoing ones; or, if `hasNewer`, earlier. The same array until something changes.
   */
  messages(chatId: number): Messages;
  /** A thread by the id of its root; null if the client knows nothing of it. */
  thread(root: number): Thread | null;
  /** The loaded threads that the user follows, the one with the newest reply first. See `loadThreads`. */
  readonly threads: readonly Thread[];
  /** Whether the user follows threads that are not loaded. */
  readonly hasMoreThreads: boolean;
  /** The number of threads with unread replies. */
  readonly unreadThreads: number;
  /** The number of unread mentions in all chats and threads. */
  readonly unreadMentions: number;
  /** The pinned messages, the one pinned last first. Null until `loadPins`. */
  pins(chatId: number): readonly Message[] | null;
  /**
   * The user's draft as the server has it; null if there is none, or if a message is being sent in the chat. Undefined
   * until `loadDrafts`.
   */
  draft(chatId: number, thread?: number | null): Draft | null | undefined;
  /** The user's drafts in a chat and its threads, the latest first. Empty until `loadDrafts`. */
  drafts(chatId: number): readonly Draft[];
  /** Returns a message if it is loaded. */
  message(messageId: number): Message | undefined;
  isOpen(chatId: number): boolean;
  hasOlder(chatId: number): boolean;
  hasNewer(chatId: number): boolean;
  /** Ids of the other users who are typing: in a chat, or in an open thread of it, over sockets only. */
  typing(chatId: number, root?: number | null): number[];
}

// ------------------------------------------------------------------------------------------------------------ Client

/**
 * - `connecting`: loading the first snapshot
 * - `live`: connected over a socket
 * - `polling`: no socket opens; everything works over long polls, a little slower
 * - `reconnecting`, `offline`: outgoing messages wait; `offline` when the browser reports no network
 * - `signedOut`: sign in, or provide a token, and call `start()` again
 * - `stopped`: before `start()` and after `stop()`
 */
export type Status = "connecting" | "live" | "polling" | "reconnecting" | "offline" | "signedOut" | "stopped";

export interface Events {
  status: { status: Status };
  /** `isSlow` has changed. */
  slow: { isSlow: boolean };
  /**
   * A message is new, updated or deleted: once for each change, also for changes missed while disconnected, unless a chat
   * had more than 500. A reaction is an update of a loaded message. Loading a message emits nothing. Replies in threads
   * have a `thread`, and unless `also_in_chat`, they are not in the timeline of the chat.
   */
  message: { chatId: number; message: Message; change: "new" | "updated" | "deleted" };
  /** `state.messages(chatId)` has changed. */
  messages: { chatId: number };
  /** `state.thread(root)` has changed: its replies, or the user's own state of it. */
  thread: { chatId: number; root: number };
  /** `state.pins(chatId)` has changed. */
  pins: { chatId: number };
  /** A draft of the chat has changed; null: all were loaded. */
  drafts: { chatId: number | null };
  /** A chat or a watched room has changed; null: it was removed. */
  chat: { chatId: number; chat: Chat | null };
  unread: { total: number };
  /** `thread`: the root of the thread in which the users are typing; null: the chat. */
  typing: { chatId: number; thread: number | null; users: number[] };
  read: { chatId: number; userId: number; messageId: number };
  presence: { userId: number; is_online: boolean; last_seen: string | null };
  /** `state.me` has changed. */
  me: { me: OwnUser };
  /** An outgoing message was added, refused or removed. */
  outgoing: { message: OutgoingMessage };
  /** Sending is paused for so many seconds, by a rate limit or an overloaded server; 0: it continues. */
  held: { seconds: number };
  /** Once after each change of any kind, for applications that render everything from the state. */
  change: undefined;
}

export class Greenroom {
  constructor(options?: Options);
  readonly api: Api;
  readonly state: State;
  readonly status: Status;
  /** All outgoing messages: those being sent, and refused ones. */
  readonly outgoing: readonly OutgoingMessage[];
  /** Whether messages may be late: the client polls, and no long poll has been answered yet. */
  readonly isSlow: boolean;
  /** For how many more seconds sending is paused, by a rate limit or an overloaded server. */
  readonly heldFor: number;

  /** Adds a listener. Returns a function that removes it. */
  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void;

  /**
   * Connects, and stays connected. Resolves when the first snapshot is loaded, however long that takes. Rejects if no
   * user is signed in (status 401), or if the client is stopped before.
   */
  start(): Promise<void>;
  /**
   * Disconnects. The state stays, and unsent messages wait for the next `start()`. A page that the user leaves
   * disconnects by itself, and reconnects when the user returns.
   */
  stop(): void;

  /** Opens a chat: loads its newest messages and keeps them up to date. */
  open(chatId: number): Promise<Messages>;
  /** Opens a chat at a message and those around it, unless that message is loaded already. */
  openAt(chatId: number, messageId: number): Promise<Messages>;
  /** Loads the newest messages, after `openAt`. */
  openNewest(chatId: number): Promise<Messages>;
  /** Drops a chat's messages. */
  close(chatId: number): void;
  /** Loads a page of older messages. Returns whether there are more. */
  loadOlder(chatId: number): Promise<boolean>;
  /** After `openAt`: loads a page of newer messages. Returns whether there are more. */
  loadNewer(chatId: number): Promise<boolean>;
  /** Loads the pinned messages of a chat. From then on, `state.pins(chatId)` has them. */
  loadPins(chatId: number): Promise<readonly Message[] | null>;
  pin(chatId: number, messageId: number): Promise<Message>;
  unpin(chatId: number, messageId: number): Promise<null>;
  /** Loads the user's drafts. From then on, `state.draft(chatId)` has them. */
  loadDrafts(): Promise<void>;
  /** Saves a draft. An empty one is removed: then the result is null. With `keepalive` the request outlives the page. */
  saveDraft(chatId: number, fields: DraftFields, options?: DraftOptions & { keepalive?: boolean }): Promise<Draft | null>;
  removeDraft(chatId: number, options?: DraftOptions): Promise<null>;
  /** Opens a thread: loads it and its newest replies, and keeps them up to date. */
  openThread(root: number): Promise<Thread>;
  /** Opens a thread at a reply and those around it, unless that one is loaded already. */
  openThreadAt(root: number, messageId: number): Promise<Thread>;
  /** Loads the newest replies, after `openThreadAt`. */
  openNewestReplies(root: number): Promise<Thread>;
  /** Drops the replies of a thread. */
  closeThread(root: number): void;
  /** Loads a page of older replies. Returns whether there are more. */
  loadOlderReplies(root: number): Promise<boolean>;
  /** After `openThreadAt`: loads a page of newer replies. Returns whether there are more. */
  loadNewerReplies(root: number): Promise<boolean>;
  /** Loads the first page of the threads that the user follows. From then on, `state.threads` is up to date. */
  loadThreads(): Promise<readonly Thread[]>;
  /** Loads more of them. Returns whether there are still more. */
  loadMoreThreads(): Promise<boolean>;
  /** Starts or stops following a thread. */
  followThread(root: number, isFollowed?: boolean): Promise<void>;
  /** Marks the loaded replies of a thread as read, or those up to one. Returns how many replies of others became read. */
  markThreadAsRead(root: number, messageId?: number): Promise<number>;

  /** Loads more chats. Returns whether there are still more. */
  loadMoreChats(): Promise<boolean>;
  /** Loads all chats with unread messages, however far down the list they are. Rejects if a page of the list cannot be loaded. */
  loadUnread(): Promise<void>;

  /** Changes the user's own profile. */
  updateMe(fields: ProfileFields): Promise<OwnUser>;

  /**
   * Subscribes to a public room. While the user is not in it, `state.rooms` has it. Rejects if there is no such room. The
   * subscription survives disconnections, and leaving the room.
   */
  watch(chatId: number): Promise<Chat | undefined>;
  unwatch(chatId: number): void;

  /** Sends a message, or with `thread`, the id of a root, a reply in a thread. It is in the state at once. It is retried until the server stores or refuses it, also after a reload. */
  send(chatId: number, content: string, options?: { custom?: Custom; replyTo?: Pick<Message, "id" | "sender" | "content">; forward?: Message; thread?: number | null; also_in_chat?: boolean; mentions?: Mentions; attachments?: Attachment[] }): OutgoingMessage;
  /** Uploads a file for a message of a chat. After a break it sends the bytes again. Rejects if the server refuses the file. */
  upload(chatId: number, file: Blob & { name?: string }, options?: UploadOptions): Promise<Attachment>;
  /** Edits a message. Without `mentions`, those of the message stay. */
  edit(messageId: number, content: string, options?: { mentions?: Mentions }): Promise<Message>;
  delete(messageId: number): Promise<void>;
  /** Adds or removes the user's reaction. Without `action` it toggles, for a loaded message. */
  react(messageId: number, emoji: string, action?: "add" | "remove"): Promise<"added" | "removed">;
  /** Marks a chat's loaded messages as read, or those up to a message. Returns how many messages of others became read. */
  markAsRead(chatId: number, messageId?: number): Promise<number>;
  /** Call it at each keystroke, and with false when the text is empty. Commands to the server are throttled. */
  typing(chatId: number, isTyping?: boolean, root?: number | null): void;
}
