-- End of the user's last connection. NULL if there was none.
ALTER TABLE users ADD COLUMN last_seen BIGINT;

-- A user's dm partners are looked up from either side of the pair.
CREATE INDEX dm_pairs_by_high ON dm_pairs (high_id, low_id);

-- Positions of event streams, by cursor.
CREATE TABLE event_cursors (
    name TEXT PRIMARY KEY NOT NULL,
    user_id BIGINT NOT NULL,
    -- Last delivered change number of each chat: comma-separated 'chat.seq' pairs.
    heads TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX event_cursors_by_age ON event_cursors (created_at);
