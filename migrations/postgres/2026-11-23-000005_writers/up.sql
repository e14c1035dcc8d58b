-- Commit markers: each writing connection's number of begun transactions. A transaction stores its number with its
-- data. So the number shows whether an in-doubt transaction was committed.
CREATE TABLE writers (
    name TEXT PRIMARY KEY NOT NULL,
    transactions BIGINT NOT NULL,
    used_at BIGINT NOT NULL
) WITH (fillfactor = 50);
