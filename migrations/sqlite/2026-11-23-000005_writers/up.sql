-- The connections that write, each with how many transactions it has begun. PostgreSQL's; on SQLite it stays empty, since
-- there a commit is always answered.
CREATE TABLE writers (
    name TEXT PRIMARY KEY NOT NULL,
    transactions BIGINT NOT NULL,
    used_at BIGINT NOT NULL
) WITHOUT ROWID;
