ALTER TABLE messages ADD COLUMN ordinal BIGINT NOT NULL DEFAULT 0;
CREATE INDEX messages_by_sender ON messages (chat_id, sender_id, pos);
UPDATE messages SET ordinal = (SELECT count(*) FROM messages o
    WHERE o.chat_id = messages.chat_id AND o.sender_id = messages.sender_id AND o.pos <= messages.pos);
DROP TABLE sent_counts;
