DROP TABLE successions;
DROP TABLE reactions_left;
