ALTER TABLE messages ADD COLUMN ordinal BIGINT NOT NULL DEFAULT 0;
UPDATE messages SET ordinal = counted.ordinal
    FROM (SELECT chat_id, pos, row_number() OVER (PARTITION BY chat_id, sender_id ORDER BY pos) AS ordinal FROM messages) AS counted
    WHERE counted.chat_id = messages.chat_id AND counted.pos = messages.pos;
CREATE INDEX messages_by_sender ON messages (chat_id, sender_id, pos);
DROP TABLE sent_counts;
