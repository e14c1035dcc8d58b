-- Blocks: the blocked user cannot write to the blocker in a dm.
CREATE TABLE blocks (
    blocker_id BIGINT NOT NULL,
    blocked_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (blocker_id, blocked_id)
) WITHOUT ROWID;
-- For the list of blocks, latest first.
CREATE INDEX blocks_by_age ON blocks (blocker_id, created_at, blocked_id);
