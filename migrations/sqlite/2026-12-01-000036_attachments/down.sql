ALTER TABLE messages DROP COLUMN attachments;
DROP TABLE file_usage;
DROP TABLE attachments;
DROP TABLE stored_files;
