DROP TABLE follows;
DROP TABLE thread_participants;
DROP TABLE thread_replies;
DROP TABLE threads;
ALTER TABLE messages DROP COLUMN thread_info;
ALTER TABLE messages DROP COLUMN thread_id;
ALTER TABLE chats DROP COLUMN reply_count;
