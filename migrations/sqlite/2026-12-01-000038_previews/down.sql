ALTER TABLE messages DROP COLUMN previews;
