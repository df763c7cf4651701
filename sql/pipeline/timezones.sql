-- In which timezones were the stored days cut? A day that could never be read was not cut at all.
SELECT DISTINCT timezone FROM reads WHERE head_sha IS NOT NULL;
