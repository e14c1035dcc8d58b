-- Files in the store. The row is there before the bytes, and goes after them.
CREATE TABLE stored_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- The user who has uploaded it. Its size counts against the quotas of that user and of the site.
    user_id BIGINT NOT NULL,
    -- The bytes that are reserved for it, or stored.
    size BIGINT NOT NULL,
    -- The number of attachments that show it. Forwarded copies share a file.
    reference_count BIGINT NOT NULL,
    -- When the last reference went. A file without references waits here for the deletion of its bytes.
    dropped_at BIGINT,
    -- The request that writes the bytes, and until when it may. Nobody deletes them meanwhile.
    writer TEXT,
    writer_until BIGINT
);
CREATE INDEX stored_files_dropped ON stored_files (id) WHERE reference_count = 0;
CREATE INDEX stored_files_written ON stored_files (id) WHERE writer IS NOT NULL;

-- Attachments, and before they are sent, uploads.
CREATE TABLE attachments (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    file_id BIGINT NOT NULL,
    chat_id BIGINT NOT NULL,
    -- The user who may send it, or has sent it.
    user_id BIGINT NOT NULL,
    -- Null until it is sent.
    message_id BIGINT,
    -- 'pending' until the upload is complete; then 'clean', 'scanning' or 'blocked'.
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    -- As announced, and of what is served once the upload is complete.
    size BIGINT NOT NULL,
    sha256 TEXT,
    content_type TEXT NOT NULL,
    width BIGINT,
    height BIGINT,
    blurhash TEXT,
    alt TEXT NOT NULL,
    -- The sizes of the thumbnails as JSON; null for none.
    thumbnails TEXT,
    created_at BIGINT NOT NULL,
    -- When it is removed if it is not sent.
    expires_at BIGINT NOT NULL
);
CREATE INDEX attachments_of_chat ON attachments (chat_id, message_id, id);
CREATE INDEX attachments_sent ON attachments (message_id, chat_id) WHERE message_id IS NOT NULL;
CREATE INDEX attachments_of_file ON attachments (file_id);
CREATE INDEX attachments_pending ON attachments (user_id) WHERE state = 'pending';
CREATE INDEX attachments_unsent ON attachments (expires_at, id) WHERE message_id IS NULL;

-- The bytes of the files in the store, by the user who has uploaded them; 0: of all users.
CREATE TABLE file_usage (
    user_id INTEGER PRIMARY KEY NOT NULL,
    bytes BIGINT NOT NULL
);

-- The attachments of a message as JSON; null for none.
ALTER TABLE messages ADD COLUMN attachments TEXT;
