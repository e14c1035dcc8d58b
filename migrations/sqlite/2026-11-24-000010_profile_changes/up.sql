-- Counts changes of public profile fields, in a setting. It is the version of cached profiles. Concurrent changes of
-- profiles wait for the end of the transaction, so that each number identifies one state of all profiles.
CREATE TRIGGER profile_changed AFTER UPDATE OF username, first_name, last_name, avatar_url ON users
    WHEN (NEW.username, NEW.first_name, NEW.last_name, NEW.avatar_url)
        <> (OLD.username, OLD.first_name, OLD.last_name, OLD.avatar_url) BEGIN
    INSERT INTO settings (name, value) VALUES ('profile_changes', '1')
        ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT);
END;
