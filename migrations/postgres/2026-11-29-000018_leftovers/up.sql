-- Deleted messages whose reactions remain to be deleted, in steps.
CREATE TABLE reactions_left (
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    PRIMARY KEY (chat_id, message_id)
);

-- Users that were deactivated or activated. The server reassigns the admins of their chats, and has done so up to
-- after_chat_id.
CREATE TABLE successions (
    user_id BIGINT PRIMARY KEY NOT NULL,
    after_chat_id BIGINT NOT NULL
);
