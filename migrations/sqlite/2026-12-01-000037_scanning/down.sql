DROP INDEX stored_files_scanned;
DROP INDEX attachments_scanning;
ALTER TABLE stored_files DROP COLUMN scan_until;
ALTER TABLE stored_files DROP COLUMN verdict;
