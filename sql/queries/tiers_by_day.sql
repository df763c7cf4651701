-- How many commits of each tier had each day?
-- $first day = 30d: the first day
-- $last day = newest: the last day
-- $repo pattern = %: only repositories like this
-- Commits by bots and pure reformatting count in their tier here; the pages count them apart.
SELECT day, repo, count(*) AS commits,
    count(*) FILTER (tier = 'high') AS high,
    count(*) FILTER (tier = 'medium') AS medium,
    count(*) FILTER (tier = 'low') AS low
FROM current_analyses
WHERE day BETWEEN $first::DATE AND $last::DATE AND repo LIKE $repo
GROUP BY day, repo
ORDER BY day, repo;
