-- The connections that write, each with how many transactions it has begun: the number is stored with what the
-- transaction stores, and so tells whether a commit that was not answered was one.
CREATE TABLE writers (
    name TEXT PRIMARY KEY NOT NULL,
    transactions BIGINT NOT NULL,
    used_at BIGINT NOT NULL
) WITH (fillfactor = 50);
