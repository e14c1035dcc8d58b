-- Which messages of a chat notify a member: 'all', 'mentions' or 'none'. Null: the default of the kind of chat.
ALTER TABLE members ADD COLUMN notify TEXT;
