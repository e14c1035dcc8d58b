ALTER TABLE members DROP COLUMN notify;
