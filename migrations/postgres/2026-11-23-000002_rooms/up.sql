-- Rooms: chats that are public, or that belong to an object of the host. Two strings name the object.

ALTER TABLE chats ADD COLUMN is_public BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE chats ADD COLUMN object_type TEXT;
ALTER TABLE chats ADD COLUMN object_id TEXT;

-- An object has at most one room.
CREATE UNIQUE INDEX rooms_by_object ON chats (object_id, object_type)
    WHERE object_id IS NOT NULL AND deleted_at IS NULL;
-- For listing and searching public rooms, newest first: all of them, and those on one type of object. The columns of
-- the condition are included, so that a count is an index-only scan.
CREATE INDEX rooms_public ON chats (id, title_key, is_public, deleted_at) WHERE is_public AND deleted_at IS NULL;
CREATE INDEX rooms_by_type ON chats (object_type, id, title_key, is_public, deleted_at)
    WHERE is_public AND deleted_at IS NULL;
-- A chat object lists all admins. This index finds them without reading all members.
CREATE INDEX members_admins ON members (chat_id, joined_seq, user_id) WHERE role = 'admin' AND left_seq IS NULL;
