DROP INDEX blocks_by_blocked;
DROP TABLE mention_counts;
DROP TABLE mentions;
ALTER TABLE messages DROP COLUMN mentions;
