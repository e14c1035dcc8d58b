-- Whether the member made the chat, or came into it by their own deed; of such chats nobody has more than so many.
ALTER TABLE members ADD COLUMN is_own BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX members_own ON members (user_id) WHERE is_own AND left_seq IS NULL;
