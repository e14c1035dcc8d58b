-- How many times a user was brought into a chat: a server that has heard of fewer looks which chats those are.
ALTER TABLE users ADD COLUMN feed BIGINT NOT NULL DEFAULT 0;
