-- The id of a user at the identity provider or in the host application; unique.
ALTER TABLE users ADD COLUMN external_id TEXT;
CREATE UNIQUE INDEX users_by_external_id ON users (external_id) WHERE external_id IS NOT NULL;
-- When the newest JSON Web Token was issued whose profile was taken, and whether it had names.
ALTER TABLE users ADD COLUMN claims_at BIGINT;
ALTER TABLE users ADD COLUMN has_claimed_name BOOLEAN NOT NULL DEFAULT FALSE;
-- JSON Web Tokens of the user that were issued at this time or earlier are revoked.
ALTER TABLE users ADD COLUMN revoked_until BIGINT;
-- SHA-256 of the password hash that was imported last; NULL if the password was changed here since.
ALTER TABLE users ADD COLUMN imported_password TEXT;
