-- Only active users are found, so that those who are shut out are not passed over one by one. What is within the names is
-- looked for in an index alone.
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (name_key, id, email_key, is_active) WHERE is_active;
DROP INDEX users_by_username;
CREATE INDEX users_by_username ON users (lower(username)) WHERE is_active;
DROP INDEX users_by_email;
CREATE INDEX users_by_email ON users (email_key) WHERE is_active;
-- Chats are found by the names of all members.
CREATE INDEX users_shut_out ON users (name_key, id, is_active) WHERE NOT is_active;
