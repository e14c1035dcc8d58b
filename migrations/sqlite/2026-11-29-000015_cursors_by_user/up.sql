-- The latest of a user's first, which their next stream goes on from.
CREATE INDEX event_cursors_by_user ON event_cursors (user_id, created_at);
-- Expired tokens, to be deleted.
CREATE INDEX tokens_by_end ON tokens (expires_at) WHERE expires_at IS NOT NULL;
-- Sessions that are over, to be deleted.
CREATE INDEX sessions_by_renewal ON sessions (renewed_at);
CREATE INDEX sessions_by_age ON sessions (created_at);
CREATE INDEX revocations_by_age ON revocations (created_at);
