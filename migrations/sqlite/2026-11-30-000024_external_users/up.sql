-- Users of an identity provider or of the host application, by their id there (external_id).
CREATE TABLE external_users (
    user_id BIGINT PRIMARY KEY NOT NULL REFERENCES users (id),
    external_id TEXT NOT NULL UNIQUE,
    -- When the newest JSON Web Token was issued whose profile was taken, and whether one had names.
    claims_at BIGINT,
    has_claimed_name BOOLEAN NOT NULL DEFAULT FALSE,
    -- JSON Web Tokens of the user that were issued at this time or earlier are revoked.
    revoked_until BIGINT
) WITHOUT ROWID;
-- SHA-256 of the password hash that was imported last. The row goes when the password is changed here.
CREATE TABLE imported_passwords (
    user_id BIGINT PRIMARY KEY NOT NULL REFERENCES users (id),
    digest TEXT NOT NULL
) WITHOUT ROWID;
