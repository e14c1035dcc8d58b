-- Previews of the pages that a message links to, as JSON; null for none.
ALTER TABLE messages ADD COLUMN previews TEXT;
