DROP INDEX users_by_email;
DROP INDEX users_by_username;
DROP INDEX users_by_name;
DROP TRIGGER search_edited;
DROP TRIGGER search_removed;
DROP TABLE search_changes;
DROP TABLE search_postings;
DROP TABLE search_segments;
