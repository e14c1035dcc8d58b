-- When and from where a session and a token were last used, in microseconds since 1970; NULL where that was not noted.
ALTER TABLE sessions ADD COLUMN seen_at BIGINT;
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN seen_at BIGINT;
ALTER TABLE tokens ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
-- What the command line did, for the log of the servers that run; empty for all else.
ALTER TABLE revocations ADD COLUMN deed TEXT NOT NULL DEFAULT '';
