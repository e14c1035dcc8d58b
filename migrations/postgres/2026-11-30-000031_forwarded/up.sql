-- A forwarded message has a copy of the text and its sender. It does not say where they came from.
ALTER TABLE messages ADD COLUMN forwarded_sender_id BIGINT;
ALTER TABLE messages ADD COLUMN forwarded_content TEXT;
