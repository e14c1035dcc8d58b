-- Pinned messages. A row stays when its message is unpinned, for clients that catch up.
CREATE TABLE pins (
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    -- Sequence number of the change that pinned or unpinned the message.
    seq BIGINT NOT NULL,
    is_pinned BOOLEAN NOT NULL,
    PRIMARY KEY (chat_id, message_id)
);
CREATE INDEX pins_by_change ON pins (chat_id, seq);
-- The column of the condition is included, so that a count is an index-only scan.
CREATE INDEX pins_now ON pins (chat_id, seq, is_pinned) WHERE is_pinned;
