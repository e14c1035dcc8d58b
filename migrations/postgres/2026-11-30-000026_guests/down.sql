DROP INDEX users_staff;
DROP INDEX rooms_for_guests;
DROP TABLE guests;
ALTER TABLE chats DROP COLUMN guest_access;
ALTER TABLE users DROP COLUMN is_guest;
