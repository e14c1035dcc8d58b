-- A server of the previous version may still write. Its later writes fail.
LOCK TABLE messages IN SHARE ROW EXCLUSIVE MODE;
-- Number of messages that a sender has posted in a chat up to the end of a block of 16 positions. There is a row for each
-- block that is full and has a message of the sender.
CREATE TABLE sent_counts (
    chat_id BIGINT NOT NULL,
    sender_id BIGINT NOT NULL,
    block BIGINT NOT NULL,
    sent BIGINT NOT NULL,
    PRIMARY KEY (chat_id, sender_id, block)
);
INSERT INTO sent_counts (chat_id, sender_id, block, sent)
    SELECT m.chat_id, m.sender_id, m.pos / 16, max(m.ordinal) FROM messages m JOIN chats c ON c.id = m.chat_id
    WHERE m.pos / 16 < (c.last_pos + 1) / 16 GROUP BY m.chat_id, m.sender_id, m.pos / 16;
DROP INDEX messages_by_sender;
ALTER TABLE messages DROP COLUMN ordinal;
