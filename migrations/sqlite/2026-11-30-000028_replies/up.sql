-- Id of the message of the same chat that a message replies to. What is quoted of it is read with each message.
ALTER TABLE messages ADD COLUMN reply_to BIGINT;
