-- What the scanner has found in a file: 'clean' or 'blocked'; null until then.
ALTER TABLE stored_files ADD COLUMN verdict TEXT;
-- When a file is to be scanned, or what was found is to be shown. A node that works on it puts this off meanwhile. Null: never.
ALTER TABLE stored_files ADD COLUMN scan_at BIGINT;
CREATE INDEX stored_files_to_scan ON stored_files (scan_at, id) WHERE scan_at IS NOT NULL;
