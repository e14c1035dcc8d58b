ALTER TABLE chats DROP COLUMN draft_count;
DROP TABLE drafts;
