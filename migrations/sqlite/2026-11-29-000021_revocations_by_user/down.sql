DROP INDEX revocations_by_user;
