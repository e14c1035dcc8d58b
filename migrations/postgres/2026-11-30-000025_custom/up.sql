-- Custom data of the host: a JSON object as compact text. NULL is an empty one.
ALTER TABLE messages ADD COLUMN custom TEXT;
ALTER TABLE chats ADD COLUMN custom TEXT;
CREATE TABLE user_custom (
    user_id BIGINT PRIMARY KEY NOT NULL REFERENCES users (id),
    custom TEXT NOT NULL
);
-- Digests of the values at the top level, by which requests filter.
CREATE TABLE chat_custom_values (
    chat_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (chat_id, name)
);
CREATE TABLE user_custom_values (
    user_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
);
CREATE INDEX user_custom_values_by_value ON user_custom_values (name, digest, user_id);
