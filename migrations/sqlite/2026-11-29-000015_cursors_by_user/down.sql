DROP INDEX revocations_by_age;
DROP INDEX sessions_by_age;
DROP INDEX sessions_by_renewal;
DROP INDEX tokens_by_end;
DROP INDEX event_cursors_by_user;
