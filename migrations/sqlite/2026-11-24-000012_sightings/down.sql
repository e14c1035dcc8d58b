ALTER TABLE revocations DROP COLUMN deed;
ALTER TABLE tokens DROP COLUMN user_agent;
ALTER TABLE tokens DROP COLUMN address;
ALTER TABLE tokens DROP COLUMN seen_at;
ALTER TABLE sessions DROP COLUMN user_agent;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN seen_at;
