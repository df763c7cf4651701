-- In which timezones were the stored days cut?
SELECT DISTINCT timezone FROM reads;
