UPDATE users SET avatar_url = substr(avatar_url, 8) WHERE avatar_url LIKE 'chosen:%';
DROP INDEX rooms_all;
DROP TABLE user_looks;
ALTER TABLE users DROP COLUMN is_registered;
