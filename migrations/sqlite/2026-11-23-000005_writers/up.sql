-- Commit markers of writing connections, for PostgreSQL. The table stays empty on SQLite, which has no in-doubt
-- transactions.
CREATE TABLE writers (
    name TEXT PRIMARY KEY NOT NULL,
    transactions BIGINT NOT NULL,
    used_at BIGINT NOT NULL
) WITHOUT ROWID;
