/**
 * Greenroom's client for browsers and Node 20 or newer. Objects of the API keep the names that they have there
 * (`display_name`); what is the client's own is in camel case. All ids are numbers, all times RFC 3339 in UTC.
 */

// ------------------------------------------------------------------------------------------------------- API objects

export interface User {
  id: number;
  username: string;
  display_name: string;
  avatar_url: string;
}

/** A user as shown to themselves and to staff. */
export interface OwnUser extends User {
  /** The user's own address, where `avatar_url` is one of the server that stands for it. */
  avatar_source?: string;
  email: string;
  first_name: string;
  last_name: string;
  is_staff: boolean;
  is_active: boolean;
}

/** A signed-in browser of one's own. */
export interface Session {
  /** It names the session, and signs nobody in. */
  id: number;
  created_at: string;
  /** The last use, to within some ten minutes. */
  last_seen: string | null;
  /** From which address it was last used; empty where that is not known. */
  address: string;
  /** The `User-Agent` of then, at most 200 characters. */
  user_agent: string;
  /** Whether this very request is made with it. */
  is_current: boolean;
  /** When it ends if it is not used meanwhile. */
  expires_at: string;
}

/** An access token of one's own, without its key. */
export interface AccessToken extends Omit<Session, "expires_at"> {
  /** Null: it does not expire. */
  expires_at: string | null;
}

export interface FoundUser extends User {
  email: string;
}

export type Role = "admin" | "member";

export interface ChatMember extends User {
  role: Role;
  joined_at: string;
  /** Everything up to this message is read; null where nothing is. */
  last_read_message_id: number | null;
  /** The newest message when the member came; null for who was there from the start. */
  read_from_message_id: number | null;
}

export interface Reaction {
  emoji: string;
  count: number;
  /** The first 100. */
  users: number[];
}

export interface Message {
  id: number;
  chat: number;
  /** Show it as text: it is not escaped. Empty where the message is deleted. */
  content: string;
  created_at: string;
  updated_at: string;
  is_edited: boolean;
  is_deleted: boolean;
  sender: User;
  reactions: Reaction[];
  /** The first 100, the sender first. */
  read_by: number[];
  read_count: number;
  client_id: string | null;
  seq: number;
}

/** What one has set for oneself in a chat. */
export interface Me {
  /** Keep quiet about the chat before this moment. */
  muted_until: string | null;
  /** Pinned chats come first. */
  is_pinned: boolean;
  /** From this message on everything of others counts as unread, until one reads. */
  unread_from: number | null;
}

export interface Chat {
  id: number;
  title: string;
  chat_type: "dm" | "group" | "room";
  created_at: string;
  updated_at: string;
  last_message: Message | null;
  /** The first 100 by joining. */
  members: ChatMember[];
  member_count: number;
  admins: number[];
  seq: number;
  last_read_message_id: number | null;
  unread_count: number;
  my_role: Role | null;
  /** Null in a room that one is not in. */
  me: Me | null;
  /** Of rooms. */
  object?: { type: string; id: string } | null;
  is_public?: boolean;
  is_member?: boolean;
}

export interface Page<T> {
  count: number;
  next: string | null;
  previous: string | null;
  results: T[];
}

export interface FoundMessage extends Message {
  /** Where the words are in `content`, in characters; the end is exclusive. */
  highlights: [number, number][];
}

export interface FoundPage extends Page<FoundMessage> {
  /** False where the search was cut short: `next` goes on from there. */
  is_complete: boolean;
}

/** An event as the server sends it; which fields there are depends on `type`. See the live events in the API's docs. */
export interface FeedEvent {
  type: string;
  chat_id?: number;
  seq?: number;
  [field: string]: any;
}

export interface Snapshot {
  chats: Chat[];
  /** The number of the latest change of each chat. */
  heads: Record<string, number>;
  unread: Record<string, number>;
  /** Of those with whom one shares a dm; when they were last seen by id. */
  users_online: number[];
  last_seen: Record<string, string>;
}

export interface News {
  events: FeedEvent[];
  heads: Record<string, number>;
  unread: Record<string, number>;
  removed: number[];
}

/** What one may change of oneself; a new password together with the old one. */
export interface ProfileFields {
  first_name?: string;
  last_name?: string;
  /** Empty for the picture that the server draws. */
  avatar_url?: string;
  password?: string;
  old_password?: string;
}

/** What one may do on the server. */
export interface Settings {
  allow_editing: boolean;
  allow_deleting: boolean;
  allow_reactions: boolean;
  allow_renaming_dms: boolean;
  allow_renaming_rooms: boolean;
  /** Whether it is to be shown where a message was deleted. */
  show_deleted: boolean;
  /** Whom people who are not staff may find, begin chats with and add. */
  contacts: "all" | "staff-only-start" | "shared-chat";
  receipts_max_members: number;
  max_message_length: number;
  max_title_length: number;
  server_version: string;
}

export interface UserFields {
  username: string;
  password?: string;
  email?: string;
  first_name?: string;
  last_name?: string;
  avatar_url?: string;
}

// ----------------------------------------------------------------------------------------------------------- Options

/** What of `localStorage` is used. */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface Options {
  /** Scheme, host and port of the server; the page's own where it is not given. */
  baseUrl?: string;
  /**
   * The token of the user, or a function that fetches one from the host's own server. The function is asked again when
   * a token has ended. Without a token the session's cookie is sent.
   */
  token?: string | (() => string | Promise<string>);
  /** Where what is not sent yet outlives a reload. `localStorage` in browsers; nowhere else, and with null. */
  storage?: StorageLike | null;
  /** Messages kept of an open chat, at least 100 and 1,000 by default. Loading older ones raises it for that chat. */
  maxMessages?: number;
  /** A constructor like the browsers', where there is none: Node 20. Without any, or with null, the client polls. */
  WebSocket?: (new (url: string, protocols?: string[]) => any) | null;
  fetch?: typeof globalThis.fetch;
  timing?: Timing;
  /** From 0 up to 1; draws the pauses between attempts. */
  random?: () => number;
}

/** All in milliseconds. */
export interface Timing {
  /** How long a socket may take until the server says hello. 10,000 */
  openWithin?: number;
  /** After so long without a socket the client polls, until there is one. 2,000 */
  pollAfter?: number;
  /** A command goes over REST where nothing came over the socket for so long. 3,000 */
  silence?: number;
  /** A socket is asked for a sign of life when nothing came for so long. 25,000 */
  pingEvery?: number;
  /** And is given up where none comes. 10,000 */
  pongWithin?: number;
  /** How long a command over the socket may take. 30,000 */
  answerWithin?: number;
  /** The longest first pause after a failure; each further one may be twice as long. 1,000 */
  backoff?: number;
  /** The longest pause. 30,000 */
  backoffMax?: number;
  /** A socket that was live for so long counts as a success. 10,000 */
  steadyAfter?: number;
  /** While polling, a socket is tried again and again, after pauses that grow up to this. 60,000 */
  socketAgainEvery?: number;
  /** While polling, rooms that are watched are looked at so often. 5,000 */
  lookEvery?: number;
}

// ------------------------------------------------------------------------------------------------------------ Errors

export class GreenroomError extends Error {
  /** The HTTP status, the same for commands over the socket; 0 where no answer came. */
  readonly status: number;
  /** One sentence; also `message`. */
  readonly detail: string;
  /** Sentences by field, of a 400. */
  readonly fields: Record<string, string[]>;
  /** Seconds after which to try again, where the server says so. */
  readonly retryAfter: number | null;
  /** Whether the same request would be refused again. */
  readonly isFinal: boolean;
}

// -------------------------------------------------------------------------------------------------------------- REST

export interface ListQuery {
  page?: number;
  page_size?: number;
}

/** Where words are found: anywhere, or only where a word begins. */
export type Match = "substring" | "prefix";

export interface MessagesQuery extends ListQuery {
  before?: number;
  after?: number;
  search?: string;
  match?: Match;
}

/** A method for each endpoint. All reject with `GreenroomError`. */
export class Api {
  constructor(options?: Options);
  /** The server's origin. */
  readonly base: string;

  /**
   * The server's time in milliseconds since 1970, whatever the device's clock says: as the latest answer told it, to about a second.
   */
  now(): number;

  /**
   * Any request; a path without `/` in front is below `/messages/api/`. `timeout` in milliseconds. With `keepalive` it
   * goes on after the page is gone.
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
  register(fields: UserFields & { password: string }): Promise<OwnUser>;

  chats(query?: ListQuery & { search?: string; match?: Match; chat_type?: Chat["chat_type"] }): Promise<Page<Chat>>;
  chat(id: number): Promise<Chat>;
  createChat(fields: {
    chat_type: Chat["chat_type"];
    title?: string | null;
    member_ids?: number[];
    object_type?: string;
    object_id?: string;
    is_public?: boolean;
  }): Promise<Chat>;
  /** `null` or `""` returns to the automatic title. */
  renameChat(id: number, title: string | null): Promise<Chat>;
  deleteChat(id: number): Promise<null>;
  rooms(query?: ListQuery & { search?: string; match?: Match; object_type?: string; object_id?: string }): Promise<Page<Chat>>;
  /** Mutes, pins, makes unread from a message on; what is not named stays. */
  setMe(id: number, fields: Partial<Me>): Promise<Chat>;
  joinChat(id: number): Promise<Chat>;
  leaveChat(id: number): Promise<null>;

  messages(chatId: number, query?: MessagesQuery): Promise<Page<Message>>;
  message(id: number): Promise<Message>;
  /** Prefer `Greenroom.send`, which does not lose what was typed. */
  sendMessage(chatId: number, fields: { content: string; client_id?: string }): Promise<Message>;
  editMessage(id: number, content: string): Promise<Message>;
  deleteMessage(id: number): Promise<null>;
  search(q: string, query?: ListQuery & { chat?: number; before?: number; after?: number; match?: Match }): Promise<FoundPage>;

  toggleReaction(id: number, emoji: string): Promise<Reacted>;
  addReaction(id: number, emoji: string): Promise<Reacted>;
  removeReaction(id: number, emoji: string): Promise<null>;

  /** Without `messageId`: everything. */
  markAsRead(chatId: number, messageId?: number): Promise<{ status: "success"; marked_count: number }>;
  typing(chatId: number, isTyping: boolean): Promise<{ status: "success" }>;
  unread(): Promise<{ total: number; chats: Record<string, number> }>;

  /** `search`: words that are in their names. */
  members(chatId: number, query?: ListQuery & { search?: string; match?: Match }): Promise<Page<ChatMember>>;
  addMembers(chatId: number, userIds: number[]): Promise<{ status: "success"; added_count: number }>;
  changeRole(chatId: number, userId: number, role: Role): Promise<ChatMember>;
  removeMember(chatId: number, userId: number): Promise<null>;

  me(): Promise<OwnUser>;
  /** Prefer `Greenroom.updateMe`, which keeps `state.me` up to date. */
  updateMe(fields: ProfileFields): Promise<OwnUser>;
  /** Where one is signed in, the latest sign-in first. */
  sessions(query?: ListQuery): Promise<Page<Session>>;
  endSession(id: number): Promise<null>;
  /** All but the one that asks. */
  endOtherSessions(): Promise<null>;
  /** Those that work, the latest first, without their keys. */
  tokens(query?: ListQuery): Promise<Page<AccessToken>>;
  endToken(id: number): Promise<null>;
  /** All but the one that asks. */
  endOtherTokens(): Promise<null>;
  /** `OwnUser` to oneself and to staff. */
  user(id: number): Promise<User | OwnUser>;
  /** Who is blocked cannot open a dm with one, or write in it. */
  block(id: number): Promise<User>;
  unblock(id: number): Promise<null>;
  blocked(query?: ListQuery): Promise<Page<User>>;
  searchUsers(q: string, query?: { match?: Match }): Promise<{ results: FoundUser[] }>;

  /** For staff. */
  createUser(fields: UserFields): Promise<OwnUser>;
  updateUser(id: number, fields: Partial<UserFields> & { is_active?: boolean; is_registered?: false }): Promise<OwnUser>;
  createToken(
    id: number,
    fields?: { expires_in?: number },
  ): Promise<{ id: number; key: string; expires_at: string | null }>;
  deleteTokens(id: number): Promise<null>;

  settings(): Promise<Settings>;
  sync(): Promise<Snapshot>;
  /** What changed since; `wait`: seconds, up to 25, for something to happen. */
  syncSince(known: { chats: Record<string, number>; wait?: number }, options?: { signal?: AbortSignal }): Promise<News>;
}

export interface Reacted {
  action: "added" | "removed";
  emoji: string;
  message_id: number;
}

// ------------------------------------------------------------------------------------------------------------- State

/** A message that is on its way, or was refused. It stands behind the chat's messages, and is replaced as it changes. */
export interface OutgoingMessage {
  /** Tells it from a message that the server has. */
  readonly id: null;
  readonly chat: number;
  readonly content: string;
  readonly client_id: string;
  readonly created_at: string;
  readonly sender: User | null;
  readonly status: "sending" | "failed";
  /** Why the server refused it. */
  readonly error: GreenroomError | null;
  /** The message that it becomes. Rejects when it is refused or discarded. */
  readonly sent: Promise<Message>;
  /** Sends it again after it failed; returns what it is from now on. */
  retry(): OutgoingMessage;
  /** Throws it away. What is on its way at that moment may still arrive. */
  discard(): void;
}

/** Oldest first; what is on its way comes last, and has no id yet. */
export type Messages = readonly (Message | OutgoingMessage)[];

/** What the client knows. Its objects are replaced when they change, never altered: compare them with `===`. */
export interface State {
  readonly me: OwnUser | null;
  /** Chats that are loaded: the most recent ones, and those in which something happened since. */
  readonly chats: ReadonlyMap<number, Chat>;
  /** The same, pinned ones and then the latest activity first. */
  readonly chatList: readonly Chat[];
  /** Public rooms that are watched and that one is not in. */
  readonly rooms: ReadonlyMap<number, Chat>;
  /** Whether there are chats that are not loaded. */
  readonly hasMoreChats: boolean;
  /** Chats with unread messages that are not loaded: whether they are muted is not known. */
  readonly unreadElsewhere: readonly number[];
  /** Unread messages in all chats. */
  readonly unread: number;
  /** Of those with whom one shares a dm. */
  readonly presence: ReadonlyMap<number, { is_online: boolean; last_seen: string | null }>;
  /**
   * Messages of an open chat, oldest first and without holes, deleted ones included: up to the newest, and then those
   * that are on their way, or up to where `hasNewer` tells of more. The same array until something changes.
   */
  messages(chatId: number): Messages;
  /** A loaded message. */
  message(messageId: number): Message | undefined;
  isOpen(chatId: number): boolean;
  hasOlder(chatId: number): boolean;
  hasNewer(chatId: number): boolean;
  /** Ids of those who type, oneself left out. */
  typing(chatId: number): number[];
}

// ------------------------------------------------------------------------------------------------------------ Client

/**
 * - `connecting`: on the way to the first view of things
 * - `live`: over a socket
 * - `polling`: sockets do not get through; everything works, a little slower
 * - `reconnecting`, `offline`: what is sent waits; `offline` where the browser says that there is no network
 * - `signedOut`: sign in, or give a token, and `start()` again
 * - `stopped`: before `start()` and after `stop()`
 */
export type Status = "connecting" | "live" | "polling" | "reconnecting" | "offline" | "signedOut" | "stopped";

export interface Events {
  status: { status: Status };
  /** `isSlow` has changed. */
  slow: { isSlow: boolean };
  /**
   * Each piece of news once, also what was missed during a break, unless that was more than 500 changes in a chat. A
   * reaction counts as an update, of messages that are loaded. What is loaded is no news.
   */
  message: { chatId: number; message: Message; change: "new" | "updated" | "deleted" };
  /** `state.messages(chatId)` has changed. */
  messages: { chatId: number };
  /** A chat, or a room that is watched, has changed; null: it is gone. */
  chat: { chatId: number; chat: Chat | null };
  unread: { total: number };
  typing: { chatId: number; users: number[] };
  read: { chatId: number; userId: number; messageId: number };
  presence: { userId: number; is_online: boolean; last_seen: string | null };
  /** `state.me` has changed. */
  me: { me: OwnUser };
  /** A message was written, refused, or is not under way any more. */
  outgoing: { message: OutgoingMessage };
  /** What is sent waits for so many seconds, because it was too much or the server has too much to do; 0: no more. */
  held: { seconds: number };
  /** After each change of anything, once; for who draws everything from the state. */
  change: undefined;
}

export class Greenroom {
  constructor(options?: Options);
  readonly api: Api;
  readonly state: State;
  readonly status: Status;
  /** All messages that are on their way or were refused. */
  readonly outgoing: readonly OutgoingMessage[];
  /** Whether messages may be late: the client polls, and it is not known yet whether that works well. */
  readonly isSlow: boolean;
  /** For how many seconds more nothing is sent, because it was too much or the server has too much to do. */
  readonly heldFor: number;

  /** Listens; the function that it returns stops it. */
  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void;

  /**
   * Connects, and stays connected. Resolves when there is something to show, however long that takes; rejects where
   * nobody is signed in (status 401), or when it is stopped before.
   */
  start(): Promise<void>;
  /** Hangs up; a page that is left does so by itself, and goes on when one comes back to it. What is known stays, what is not sent waits for the next `start()`. */
  stop(): void;

  /** Loads the newest messages of a chat and keeps them up to date. */
  open(chatId: number): Promise<Messages>;
  /** The same with the messages around one, unless that is among those that are open already. */
  openAt(chatId: number, messageId: number): Promise<Messages>;
  /** Goes to the newest messages from wherever `openAt` led. */
  openNewest(chatId: number): Promise<Messages>;
  /** Lets go of a chat's messages. */
  close(chatId: number): void;
  /** Loads a page of older messages. Whether there are more. */
  loadOlder(chatId: number): Promise<boolean>;
  /** After `openAt`: loads a page of newer messages. Whether there are more. */
  loadNewer(chatId: number): Promise<boolean>;
  /** Loads further chats. Whether there are more. */
  loadMoreChats(): Promise<boolean>;
  /** Loads the chats with unread messages that are not loaded, however far down the list they are. */
  loadUnread(): Promise<void>;

  /** Changes one's own profile. */
  updateMe(fields: ProfileFields): Promise<OwnUser>;

  /**
   * Follows a public room, whether one is in it or not: `state.rooms` has it while one is not. Rejects where there is no
   * such room. Over breaks, and after leaving the room, it goes on.
   */
  watch(chatId: number): Promise<Chat | undefined>;
  unwatch(chatId: number): void;

  /** Sends a message: shown at once, and sent until the server has it or refuses it, across breaks and reloads. */
  send(chatId: number, content: string): OutgoingMessage;
  edit(messageId: number, content: string): Promise<Message>;
  delete(messageId: number): Promise<void>;
  /** Without `action`: removes the caller's reaction from a loaded message where it is there, else adds it. */
  react(messageId: number, emoji: string, action?: "add" | "remove"): Promise<"added" | "removed">;
  /** Marks as read what is known of a chat, or up to a message. How many messages of others were newly read. */
  markAsRead(chatId: number, messageId?: number): Promise<number>;
  /** Call it at each key stroke, and with false when the text is gone; it tells the others no more often than needed. */
  typing(chatId: number, isTyping?: boolean): void;
}
