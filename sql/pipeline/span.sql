-- From which day to which was the history read?
SELECT min(day) AS oldest, max(day) AS newest FROM reads WHERE head_sha IS NOT NULL;
