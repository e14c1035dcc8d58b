-- When a user's last connection ended; NULL for who never had one.
ALTER TABLE users ADD COLUMN last_seen BIGINT;

-- Whom a user shares a dm with is looked for from either side.
CREATE INDEX dm_pairs_by_high ON dm_pairs (high_id, low_id);

-- What the cursors of event streams stand for.
CREATE TABLE event_cursors (
    name TEXT PRIMARY KEY NOT NULL,
    user_id BIGINT NOT NULL,
    -- How far the stream had told of each chat: 'chat.seq' pairs, between commas.
    heads TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX event_cursors_by_age ON event_cursors (created_at);
