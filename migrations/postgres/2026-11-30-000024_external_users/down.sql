DROP TABLE imported_passwords;
DROP TABLE external_users;
