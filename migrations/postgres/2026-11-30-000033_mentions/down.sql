DROP TABLE mention_counts;
DROP TABLE mentions;
ALTER TABLE messages DROP COLUMN mentions;
