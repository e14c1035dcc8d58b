DROP TRIGGER profile_changed;
DELETE FROM settings WHERE name = 'profile_changes';
