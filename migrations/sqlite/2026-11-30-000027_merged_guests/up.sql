-- Guests that became users with an account. Their chats are handed over one by one.
CREATE TABLE merged_guests (
    guest_id BIGINT PRIMARY KEY NOT NULL REFERENCES users (id),
    user_id BIGINT NOT NULL REFERENCES users (id),
    -- SHA-256 of the guest's key, by which the request is repeated.
    key_hash TEXT NOT NULL UNIQUE
) WITHOUT ROWID;
-- The chats whose messages were handed over, with the sequence number of the latest such change.
CREATE TABLE chat_merges (
    chat_id BIGINT NOT NULL,
    guest_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (chat_id, guest_id)
) WITHOUT ROWID;
CREATE INDEX chat_merges_by_change ON chat_merges (chat_id, seq);
