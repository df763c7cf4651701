-- How many commits of each tier had each week?
-- $first day = oldest: the first day that counts
-- $last day = newest: the last day that counts
-- $repo pattern = %: only repositories like this
-- ISO weeks, each from its Monday; a week that is cut by a limit counts its days inside of it.
-- Commits by bots and pure reformatting count in their tier here; the pages count them apart.
WITH by_day AS (
    SELECT day, repo, count(*) AS commits,
        count(*) FILTER (tier = 'high') AS high,
        count(*) FILTER (tier = 'medium') AS medium,
        count(*) FILTER (tier = 'low') AS low
    FROM current_analyses
    WHERE day BETWEEN $first::DATE AND $last::DATE AND repo LIKE $repo
    GROUP BY day, repo
)
SELECT strftime(day, '%G-W%V') AS week, repo, sum(commits)::BIGINT AS commits,
    sum(high)::BIGINT AS high, sum(medium)::BIGINT AS medium, sum(low)::BIGINT AS low, count(*) AS days
FROM by_day
GROUP BY week, repo
ORDER BY week, repo;
