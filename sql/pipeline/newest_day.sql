-- Which is the newest day of the history?
SELECT max(day) AS newest FROM reads WHERE head_sha IS NOT NULL;
