-- Replies in threads. A reply that is only in its thread has a negative position in its chat: -1, -2, ... in the order of
-- posting. So the positive positions, which unread counts and pages depend on, are those of the timeline.
ALTER TABLE chats ADD COLUMN reply_count BIGINT NOT NULL DEFAULT 0;
-- The root of the thread that a message is in, and on roots the thread's state as JSON.
ALTER TABLE messages ADD COLUMN thread_id BIGINT;
ALTER TABLE messages ADD COLUMN thread_info TEXT;
-- The heads of threads. Their counts per block are in sent_counts and tombstone_counts, with the negative id of the root
-- in the place of the chat.
CREATE TABLE threads (
    root_id BIGINT NOT NULL PRIMARY KEY,
    chat_id BIGINT NOT NULL,
    -- Position of the newest reply. It equals the number of replies, tombstones included.
    last_pos BIGINT NOT NULL,
    -- Position of the newest reply that is not deleted, and its id and sender; 0 for none.
    last_live_pos BIGINT NOT NULL,
    last_reply_id BIGINT NOT NULL,
    last_sender_id BIGINT NOT NULL,
    deleted_count BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX threads_by_chat ON threads (chat_id, root_id);
-- The replies of a thread by position, also those that are in the timeline too.
CREATE TABLE thread_replies (
    root_id BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    id BIGINT NOT NULL,
    -- The reply's position in its chat.
    chat_pos BIGINT NOT NULL,
    sender_id BIGINT NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    PRIMARY KEY (root_id, pos)
) WITHOUT ROWID;
-- Senders of replies, with the position of the first one that is not deleted; 0 if all are.
CREATE TABLE thread_participants (
    root_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    first_pos BIGINT NOT NULL,
    PRIMARY KEY (root_id, user_id)
) WITHOUT ROWID;
CREATE INDEX thread_participants_in_order ON thread_participants (root_id, first_pos, user_id) WHERE first_pos > 0;
CREATE INDEX thread_participants_by_user ON thread_participants (user_id, root_id);
-- Threads that users follow or have stopped following. A row holds for the membership in which it was made.
CREATE TABLE follows (
    user_id BIGINT NOT NULL,
    root_id BIGINT NOT NULL,
    chat_id BIGINT NOT NULL,
    joined_seq BIGINT NOT NULL,
    is_followed BOOLEAN NOT NULL,
    -- The read marker: position and id of the last reply that is read; the id is null for none.
    read_pos BIGINT NOT NULL,
    read_message_id BIGINT,
    -- Sequence number of the latest change.
    seq BIGINT NOT NULL,
    PRIMARY KEY (user_id, root_id)
) WITHOUT ROWID;
CREATE INDEX follows_by_chat ON follows (chat_id, user_id, seq);
