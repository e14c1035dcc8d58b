DROP TABLE user_custom_values;
DROP TABLE chat_custom_values;
DROP TABLE user_custom;
ALTER TABLE chats DROP COLUMN custom;
ALTER TABLE messages DROP COLUMN custom;
