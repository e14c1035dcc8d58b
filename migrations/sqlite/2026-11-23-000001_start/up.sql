-- SQLite stores comments inside a statement with the schema, and `greenroom check` compares it. Never edit a comment
-- inside a statement of any migration: databases made before would differ.

-- Times are microseconds since 1970 UTC. Every table of a chat has the chat first in its key.

CREATE TABLE settings (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    username TEXT NOT NULL UNIQUE,
    -- What look-alike names share.
    username_key TEXT NOT NULL UNIQUE,
    -- A password hash; '!' for a user who cannot sign in with one.
    password TEXT NOT NULL,
    email TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    -- '' where the server draws the picture.
    avatar_url TEXT NOT NULL,
    -- Names and e-mail folded, as they are searched.
    name_key TEXT NOT NULL,
    email_key TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_staff BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    -- SHA-256 of the key in the cookie, in hexadecimal.
    key_hash TEXT PRIMARY KEY NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    renewed_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id),
    key_hash TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX tokens_by_user ON tokens (user_id);

-- Users with ended credentials. Running servers poll this table and revalidate these users' credentials.
CREATE TABLE revocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE chats (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    chat_type TEXT NOT NULL,
    title TEXT,
    -- The title folded, as it is searched.
    title_key TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    -- Number of the latest lasting change, and of the latest one of the chat itself.
    seq BIGINT NOT NULL,
    meta_seq BIGINT NOT NULL,
    -- Place of the newest message, and of the newest that is not deleted.
    last_pos BIGINT NOT NULL,
    last_live_pos BIGINT NOT NULL,
    deleted_count BIGINT NOT NULL,
    member_count BIGINT NOT NULL
);
CREATE INDEX chats_deleted ON chats (id) WHERE deleted_at IS NOT NULL;

CREATE TABLE dm_pairs (
    low_id BIGINT NOT NULL,
    high_id BIGINT NOT NULL,
    chat_id BIGINT NOT NULL,
    PRIMARY KEY (low_id, high_id)
) WITHOUT ROWID;

CREATE TABLE members (
    chat_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    joined_at BIGINT NOT NULL,
    joined_seq BIGINT NOT NULL,
    -- Number of the latest change of role or membership, and of the read marker.
    member_seq BIGINT NOT NULL,
    read_seq BIGINT NOT NULL,
    -- The row stays after its user has left.
    left_seq BIGINT,
    -- Everything up to read_pos is read; reading began after from_pos.
    read_pos BIGINT NOT NULL,
    read_message_id BIGINT,
    from_pos BIGINT NOT NULL,
    from_message_id BIGINT,
    PRIMARY KEY (chat_id, user_id)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, chat_id) WHERE left_seq IS NULL;
CREATE INDEX members_by_change ON members (chat_id, member_seq);
CREATE INDEX members_by_joining ON members (chat_id, joined_seq, user_id) WHERE left_seq IS NULL;

-- Assigns the ids of messages, and maps an id to its chat and position.
CREATE TABLE message_ids (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    chat_id BIGINT NOT NULL,
    pos BIGINT NOT NULL
);

CREATE TABLE messages (
    chat_id BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    id BIGINT NOT NULL,
    sender_id BIGINT NOT NULL,
    -- The how-manieth of its sender in the chat.
    ordinal BIGINT NOT NULL,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    is_edited BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_seq BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    client_id TEXT,
    -- Keyed hash of the first content, to tell a repeat from other content under the same client_id.
    content_hash BLOB,
    -- Rendered from the reactions table, '[]' for none.
    reactions TEXT NOT NULL,
    PRIMARY KEY (chat_id, pos)
) WITHOUT ROWID;
-- Messages changed since they were posted. Messages posted since a change number are found by position: both rise
-- together.
CREATE INDEX messages_by_change ON messages (chat_id, seq) WHERE seq > created_seq;
CREATE INDEX messages_by_sender ON messages (chat_id, sender_id, pos);
CREATE UNIQUE INDEX messages_by_client_id ON messages (chat_id, sender_id, client_id) WHERE client_id IS NOT NULL;

CREATE TABLE reactions (
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    emoji TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (chat_id, message_id, emoji, user_id)
) WITHOUT ROWID;
CREATE INDEX reactions_by_age ON reactions (chat_id, message_id, emoji, seq, user_id);

-- Number of a sender's (0: all senders') deleted messages in each block of 64, 64^2, ... positions. It counts any range
-- in a few steps.
CREATE TABLE tombstone_counts (
    chat_id BIGINT NOT NULL,
    sender_id BIGINT NOT NULL,
    level BIGINT NOT NULL,
    block BIGINT NOT NULL,
    tombstones BIGINT NOT NULL,
    PRIMARY KEY (chat_id, sender_id, level, block)
) WITHOUT ROWID;
