DROP INDEX users_shut_out;
DROP INDEX users_by_email;
CREATE INDEX users_by_email ON users (email_key);
DROP INDEX users_by_username;
CREATE INDEX users_by_username ON users (lower(username));
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (name_key, id, email_key, is_active);
