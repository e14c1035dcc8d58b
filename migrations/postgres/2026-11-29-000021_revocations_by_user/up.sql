-- Finds the earlier revocations of a user, which a new one replaces.
CREATE INDEX revocations_by_user ON revocations (user_id, created_at);
