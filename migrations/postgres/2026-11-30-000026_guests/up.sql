-- Guests: users without an account, with a key in their browser. Rooms say how far they are open to guests: 'none',
-- 'read' or 'write'.
ALTER TABLE users ADD COLUMN is_guest BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE chats ADD COLUMN guest_access TEXT NOT NULL DEFAULT 'none';
-- Guests that are not removed yet, with the time of their last visit and the token that each use prolongs.
CREATE TABLE guests (
    user_id BIGINT PRIMARY KEY NOT NULL REFERENCES users (id),
    token_id BIGINT NOT NULL,
    visited_at BIGINT NOT NULL
);
CREATE INDEX guests_by_visit ON guests (visited_at);
-- For the list of rooms that guests see, newest first. The columns of the condition are included, so that a count is an
-- index-only scan.
CREATE INDEX rooms_for_guests ON chats (id, title_key, object_type, guest_access, deleted_at)
    WHERE guest_access <> 'none' AND deleted_at IS NULL;
-- Guests find staff only.
CREATE INDEX users_staff ON users (id) WHERE is_staff;
