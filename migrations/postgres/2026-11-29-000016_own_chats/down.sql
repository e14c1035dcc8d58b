DROP INDEX members_own;
ALTER TABLE members DROP COLUMN is_own;
