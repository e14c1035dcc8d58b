DROP INDEX users_by_external_id;
ALTER TABLE users DROP COLUMN external_id;
ALTER TABLE users DROP COLUMN claims_at;
ALTER TABLE users DROP COLUMN has_claimed_name;
ALTER TABLE users DROP COLUMN revoked_until;
ALTER TABLE users DROP COLUMN imported_password;
