-- Last use of a session and a token: time in microseconds since 1970 (NULL if not recorded), address and user agent.
ALTER TABLE sessions ADD COLUMN seen_at BIGINT;
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN seen_at BIGINT;
ALTER TABLE tokens ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
-- Action of the command line, for the log of running servers. Empty for other revocations.
ALTER TABLE revocations ADD COLUMN deed TEXT NOT NULL DEFAULT '';
