-- What the scanner has found in a file: 'clean' or 'blocked'; null until then.
ALTER TABLE stored_files ADD COLUMN verdict TEXT;
-- Until when a node scans it, or when the next attempt may begin.
ALTER TABLE stored_files ADD COLUMN scan_until BIGINT;
CREATE INDEX attachments_scanning ON attachments (id) WHERE state = 'scanning';
CREATE INDEX stored_files_scanned ON stored_files (id) WHERE scan_until IS NOT NULL;
