-- Rooms: chats that are open to everybody, or that belong to an object of the host's, named by two strings.

ALTER TABLE chats ADD COLUMN is_public BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE chats ADD COLUMN object_type TEXT;
ALTER TABLE chats ADD COLUMN object_id TEXT;

-- An object has one room.
CREATE UNIQUE INDEX rooms_by_object ON chats (object_id, object_type)
    WHERE object_id IS NOT NULL AND deleted_at IS NULL;
-- Public rooms as they are listed and searched, newest first: all of them, and those on one type of object. The last
-- columns are the condition's, so that a count looks at the index alone.
CREATE INDEX rooms_public ON chats (id, title_key, is_public, deleted_at) WHERE is_public AND deleted_at IS NULL;
CREATE INDEX rooms_by_type ON chats (object_type, id, title_key, is_public, deleted_at)
    WHERE is_public AND deleted_at IS NULL;
-- A chat object names all admins, however many members there are.
CREATE INDEX members_admins ON members (chat_id, joined_seq, user_id) WHERE role = 'admin' AND left_seq IS NULL;
