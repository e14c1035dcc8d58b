ALTER TABLE chats DROP COLUMN members_seq;
