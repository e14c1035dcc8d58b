-- Whether the user made the account without a host: nobody else vouches for who has that name. Of older ones it is not known.
ALTER TABLE users ADD COLUMN is_registered BOOLEAN NOT NULL DEFAULT FALSE;

-- What names share that look alike as they are written: their skeleton by Unicode TS 39, folded, and its skeleton. Where older
-- names look alike it is the first one's.
CREATE TABLE user_looks (
    look_key TEXT PRIMARY KEY NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
INSERT INTO user_looks (look_key, user_id)
    SELECT replace(lower(replace(replace(replace(username, '0', 'O'), '1', 'l'), 'I', 'l')), 'm', 'rn') AS look, min(id)
    FROM users GROUP BY look;

-- All rooms as staff find them, newest first.
CREATE INDEX rooms_all ON chats (id, title_key, object_type) WHERE chat_type = 'room' AND deleted_at IS NULL;

-- Whose choice a picture was is not known of older ones: they count as chosen by their users.
UPDATE users SET avatar_url = 'chosen:' || avatar_url WHERE avatar_url <> '';
