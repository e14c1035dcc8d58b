-- Finds a user's latest cursor, from which the next stream continues.
CREATE INDEX event_cursors_by_user ON event_cursors (user_id, created_at);
-- For deleting expired tokens.
CREATE INDEX tokens_by_end ON tokens (expires_at) WHERE expires_at IS NOT NULL;
-- For deleting expired sessions.
CREATE INDEX sessions_by_renewal ON sessions (renewed_at);
CREATE INDEX sessions_by_age ON sessions (created_at);
CREATE INDEX revocations_by_age ON revocations (created_at);
