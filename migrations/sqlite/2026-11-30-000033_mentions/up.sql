-- The mentions of a message as JSON; null for none.
ALTER TABLE messages ADD COLUMN mentions TEXT;
-- Who is mentioned by the messages of a lane: the timeline of a chat, or with the negative id of the root a thread.
CREATE TABLE mentions (
    -- 0: everyone.
    user_id BIGINT NOT NULL,
    lane BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    chat_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    created_seq BIGINT NOT NULL,
    -- 1, or -1 for a user whom a mention of everyone leaves out: the sender, and users blocked by the sender or the other
    -- way round.
    weight BIGINT NOT NULL,
    -- Whether the user was connected when the message mentioned those who are.
    is_here BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, lane, pos)
) WITHOUT ROWID;
CREATE INDEX mentions_by_place ON mentions (lane, pos, user_id);
CREATE INDEX mentions_by_chat ON mentions (chat_id, user_id, message_id);
-- Sums of the weights for each block of 256 positions.
CREATE TABLE mention_counts (
    user_id BIGINT NOT NULL,
    lane BIGINT NOT NULL,
    block BIGINT NOT NULL,
    weight BIGINT NOT NULL,
    PRIMARY KEY (user_id, lane, block)
) WITHOUT ROWID;
CREATE INDEX mention_counts_by_lane ON mention_counts (lane, user_id, block);
-- For those who have blocked a user.
CREATE INDEX blocks_by_blocked ON blocks (blocked_id, blocker_id);
