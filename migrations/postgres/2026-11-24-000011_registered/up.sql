-- Whether the account is self-registered, so that no host vouches for its owner. Unknown for older accounts.
ALTER TABLE users ADD COLUMN is_registered BOOLEAN NOT NULL DEFAULT FALSE;

-- Keys shared by look-alike names: the Unicode TS 39 skeleton of the name, folded, and the skeleton of that. If older
-- names share a key, it belongs to the first user.
CREATE TABLE user_looks (
    look_key TEXT PRIMARY KEY NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
INSERT INTO user_looks (look_key, user_id)
    SELECT replace(lower(replace(replace(replace(username, '0', 'O'), '1', 'l'), 'I', 'l')), 'm', 'rn') AS look, min(id)
    FROM users GROUP BY look;

-- For staff's list of all rooms, newest first.
CREATE INDEX rooms_all ON chats (id, title_key, object_type) WHERE chat_type = 'room' AND deleted_at IS NULL;

-- It is unknown whether a user or staff chose an older picture. It counts as chosen by its user.
UPDATE users SET avatar_url = 'chosen:' || avatar_url WHERE avatar_url <> '';
