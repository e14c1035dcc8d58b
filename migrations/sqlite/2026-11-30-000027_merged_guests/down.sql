DROP TABLE chat_merges;
DROP TABLE merged_guests;
