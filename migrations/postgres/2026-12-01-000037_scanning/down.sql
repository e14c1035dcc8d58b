DROP INDEX stored_files_to_scan;
ALTER TABLE stored_files DROP COLUMN scan_at;
ALTER TABLE stored_files DROP COLUMN verdict;
