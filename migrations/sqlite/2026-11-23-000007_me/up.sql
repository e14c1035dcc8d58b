-- What a member has set for themselves in a chat: muted, pinned, unread from a message on by hand. me_seq is the number of
-- the latest change of it.
ALTER TABLE members ADD COLUMN muted_until BIGINT;
ALTER TABLE members ADD COLUMN is_pinned BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE members ADD COLUMN unread_pos BIGINT;
ALTER TABLE members ADD COLUMN unread_message_id BIGINT;
ALTER TABLE members ADD COLUMN me_seq BIGINT NOT NULL DEFAULT 0;
