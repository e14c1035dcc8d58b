-- A member's own settings of a chat: muted, pinned, marked as unread from a message on. me_seq is the number of their
-- latest change.
ALTER TABLE members ADD COLUMN muted_until BIGINT;
ALTER TABLE members ADD COLUMN is_pinned BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE members ADD COLUMN unread_pos BIGINT;
ALTER TABLE members ADD COLUMN unread_message_id BIGINT;
ALTER TABLE members ADD COLUMN me_seq BIGINT NOT NULL DEFAULT 0;
