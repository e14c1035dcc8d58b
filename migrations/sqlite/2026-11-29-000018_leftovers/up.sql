-- Deleted messages of which there are reactions still, to be cleared in steps.
CREATE TABLE reactions_left (
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    PRIMARY KEY (chat_id, message_id)
) WITHOUT ROWID;

-- Users who were shut out or let in, and the last of their chats that was looked at for who manages it now.
CREATE TABLE successions (
    user_id INTEGER PRIMARY KEY NOT NULL,
    after_chat_id BIGINT NOT NULL
);
