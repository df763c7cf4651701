-- What a page says to a reader, and why an alarm was closed.

-- A hash of all that a reader would call another page: one that differs in what its calls cost alone is left as it stands.
ALTER TABLE reports ADD COLUMN readable VARCHAR;

-- Null where an alarm is open, or its trouble is over; unused where the settings no longer name what it is about; aged
-- where it is still so and too old to be told.
ALTER TABLE alarms ADD COLUMN ending VARCHAR;
