-- Search index of messages. A segment covers some thousands of consecutive ids. Messages newer than all segments are
-- searched without the index.
CREATE TABLE search_segments (
    id INTEGER PRIMARY KEY NOT NULL,
    first_id BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    -- Bytes of text when it was made.
    size BIGINT NOT NULL
);
CREATE UNIQUE INDEX search_segments_by_message ON search_segments (last_id);

-- Posting lists: the messages of a segment that contain a gram. Many grams share a slot. Slot -1 has the chats of the
-- messages. A segment that is not in search_segments is under construction, or was replaced.
CREATE TABLE search_postings (
    segment BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    postings BLOB NOT NULL,
    PRIMARY KEY (segment, slot)
) WITHOUT ROWID;

-- Messages with a changed or deleted text that is not merged into their segment yet.
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

-- Names and titles are folded like messages: a sharp s becomes two letters, and i with and without its dot are one
-- letter.
UPDATE users SET name_key = replace(replace(name_key, 'ß', 'ss'), 'i' || char(775), 'i')
    WHERE name_key LIKE '%ß%' OR name_key LIKE '%' || 'i' || char(775) || '%';
UPDATE users SET email_key = replace(replace(email_key, 'ß', 'ss'), 'i' || char(775), 'i')
    WHERE email_key LIKE '%ß%' OR email_key LIKE '%' || 'i' || char(775) || '%';
UPDATE chats SET title_key = replace(replace(title_key, 'ß', 'ss'), 'i' || char(775), 'i')
    WHERE title_key LIKE '%ß%' OR title_key LIKE '%' || 'i' || char(775) || '%';

-- For prefix searches of users. A substring search reads only the first index.
CREATE INDEX users_by_name ON users (name_key, id, email_key, is_active);
CREATE INDEX users_by_username ON users (lower(username));
CREATE INDEX users_by_email ON users (email_key);
