-- Earlier texts of edited messages. There are none if the history is off.
CREATE TABLE message_versions (
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    -- Sequence number of the edit that replaced this text.
    seq BIGINT NOT NULL,
    content TEXT NOT NULL,
    -- When this text was written.
    written_at BIGINT NOT NULL,
    PRIMARY KEY (chat_id, message_id, seq)
);
