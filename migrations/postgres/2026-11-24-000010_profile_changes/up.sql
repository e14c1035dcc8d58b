-- Counts changes of public profile fields, in a setting. It is the version of cached profiles. Concurrent changes of
-- profiles wait for the end of the transaction, so that each number identifies one state of all profiles.
CREATE FUNCTION count_profile_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO settings (name, value) VALUES ('profile_changes', '1')
        ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT);
    RETURN NULL;
END
$$;
CREATE TRIGGER profile_changed AFTER UPDATE OF username, first_name, last_name, avatar_url ON users
    FOR EACH ROW WHEN ((NEW.username, NEW.first_name, NEW.last_name, NEW.avatar_url)
        <> (OLD.username, OLD.first_name, OLD.last_name, OLD.avatar_url)) EXECUTE FUNCTION count_profile_change();
