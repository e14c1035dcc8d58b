ALTER TABLE members DROP COLUMN me_seq;
ALTER TABLE members DROP COLUMN unread_message_id;
ALTER TABLE members DROP COLUMN unread_pos;
ALTER TABLE members DROP COLUMN is_pinned;
ALTER TABLE members DROP COLUMN muted_until;
