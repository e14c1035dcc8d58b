-- The index of messages, for searching. A segment is some thousands of ids that follow each other; what is newer than
-- all segments is searched as it is.
CREATE TABLE search_segments (
    id INTEGER PRIMARY KEY NOT NULL,
    first_id BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    -- Bytes of text when it was made.
    size BIGINT NOT NULL
);
CREATE UNIQUE INDEX search_segments_by_message ON search_segments (last_id);

-- Which messages of a segment have which parts of words; each slot is shared by many of these. Slot -1 has the chats of
-- the messages. Rows of a segment that is not in search_segments are of one that is being made, or was replaced.
CREATE TABLE search_postings (
    segment BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    postings BLOB NOT NULL,
    PRIMARY KEY (segment, slot)
) WITHOUT ROWID;

-- Messages whose text was changed or went away, which their segment has not taken in yet.
CREATE TABLE search_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    message_id BIGINT NOT NULL,
    -- There is another text to be found.
    is_edit BOOLEAN NOT NULL
);
CREATE INDEX search_changes_by_message ON search_changes (message_id, is_edit);

CREATE TRIGGER search_edited AFTER UPDATE OF content ON messages WHEN NEW.content <> OLD.content BEGIN
    INSERT INTO search_changes (message_id, is_edit) VALUES (NEW.id, NOT NEW.is_deleted);
END;
CREATE TRIGGER search_removed AFTER DELETE ON messages WHEN NOT OLD.is_deleted BEGIN
    INSERT INTO search_changes (message_id, is_edit) VALUES (OLD.id, FALSE);
END;

-- Names and titles are folded as messages are: a capital sharp s is two letters, and an i is one with and without its dot.
UPDATE users SET name_key = replace(replace(name_key, 'ß', 'ss'), 'i' || char(775), 'i')
    WHERE name_key LIKE '%ß%' OR name_key LIKE '%' || 'i' || char(775) || '%';
UPDATE users SET email_key = replace(replace(email_key, 'ß', 'ss'), 'i' || char(775), 'i')
    WHERE email_key LIKE '%ß%' OR email_key LIKE '%' || 'i' || char(775) || '%';
UPDATE chats SET title_key = replace(replace(title_key, 'ß', 'ss'), 'i' || char(775), 'i')
    WHERE title_key LIKE '%ß%' OR title_key LIKE '%' || 'i' || char(775) || '%';

-- Users are searched by how their names begin. What is within the names is looked for in the first index alone.
CREATE INDEX users_by_name ON users (name_key, id, email_key, is_active);
CREATE INDEX users_by_username ON users (lower(username));
CREATE INDEX users_by_email ON users (email_key);
