-- Messages that members have begun to write. Only the writer sees a draft.
CREATE TABLE drafts (
    chat_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    -- The root of the thread that the draft belongs to; 0: the chat's timeline.
    thread BIGINT NOT NULL,
    content TEXT NOT NULL,
    reply_to BIGINT,
    -- The mentions as JSON; null for none.
    mentions TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (chat_id, user_id, thread)
);
CREATE INDEX drafts_of_user ON drafts (user_id, updated_at);
-- The number of drafts in a chat. Where it is 0, a post looks for no draft of its sender.
ALTER TABLE chats ADD COLUMN draft_count BIGINT NOT NULL DEFAULT 0;
