ALTER TABLE messages DROP COLUMN forwarded_content;
ALTER TABLE messages DROP COLUMN forwarded_sender_id;
