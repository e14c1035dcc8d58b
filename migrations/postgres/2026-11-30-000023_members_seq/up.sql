-- Sequence number of the latest change of a chat's members. What was decided about a member at this number still holds
-- while it is the same.
ALTER TABLE chats ADD COLUMN members_seq BIGINT NOT NULL DEFAULT 0;
