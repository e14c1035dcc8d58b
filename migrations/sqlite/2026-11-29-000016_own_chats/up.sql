-- Whether the member created the chat or joined it on their own. The number of such chats is limited for each user.
ALTER TABLE members ADD COLUMN is_own BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX members_own ON members (user_id) WHERE is_own AND left_seq IS NULL;
