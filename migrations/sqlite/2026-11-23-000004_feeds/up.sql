-- Number of times the user was added to a chat. A server that has seen fewer of these events queries the user's chats.
ALTER TABLE users ADD COLUMN feed BIGINT NOT NULL DEFAULT 0;
