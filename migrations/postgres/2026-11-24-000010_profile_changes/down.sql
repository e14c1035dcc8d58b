DROP TRIGGER profile_changed ON users;
DROP FUNCTION count_profile_change;
DELETE FROM settings WHERE name = 'profile_changes';
