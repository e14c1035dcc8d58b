-- Searches find only active users. A partial index avoids skipping deactivated ones row by row. A substring search is
-- an index-only scan.
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (name_key, id, email_key, is_active) WHERE is_active;
DROP INDEX users_by_username;
CREATE INDEX users_by_username ON users (lower(username)) WHERE is_active;
DROP INDEX users_by_email;
CREATE INDEX users_by_email ON users (email_key) WHERE is_active;
-- A search for chats also matches the names of deactivated members.
CREATE INDEX users_shut_out ON users (name_key, id, is_active) WHERE NOT is_active;
