DROP INDEX members_admins;
DROP INDEX rooms_by_type;
DROP INDEX rooms_public;
DROP INDEX rooms_by_object;
-- Earlier versions have no rooms, and treat them as groups.
UPDATE chats SET chat_type = 'group' WHERE chat_type = 'room';
ALTER TABLE chats DROP COLUMN object_id;
ALTER TABLE chats DROP COLUMN object_type;
ALTER TABLE chats DROP COLUMN is_public;
