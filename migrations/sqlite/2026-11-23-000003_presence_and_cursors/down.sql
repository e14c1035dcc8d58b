DROP TABLE event_cursors;
DROP INDEX dm_pairs_by_high;
ALTER TABLE users DROP COLUMN last_seen;
