-- Which files change together with a path?
-- $path pattern: a file, a folder, or a pattern as in LIKE, where % is anything
-- $repo pattern = %: only repositories like this
-- $since day = 200k: commits from this day on
-- $most_files number = 50: commits of more files say little and are left out
-- $limit number = 30: how many rows
-- together counts the commits that changed both, share is their part of those that changed the path.
WITH here AS (
    SELECT DISTINCT repo, day, sha
    FROM commit_files
    WHERE day >= $since::DATE AND repo LIKE $repo AND (path LIKE $path OR starts_with(path, rtrim($path, '/') || '/'))
),
sizes AS (
    SELECT repo, day, sha FROM commit_sizes
    WHERE day >= $since::DATE AND repo LIKE $repo AND files <= $most_files::INTEGER
),
ours AS (
    SELECT repo, day, sha FROM branch_log WHERE day >= $since::DATE AND repo LIKE $repo
),
small AS MATERIALIZED (
    SELECT repo, day, sha FROM sizes SEMI JOIN here USING (repo, day, sha) SEMI JOIN ours USING (repo, day, sha)
),
counts AS (
    SELECT repo, count(*) AS commits FROM small GROUP BY repo
),
beside AS (
    SELECT repo, path, count(*) AS together, max(day) AS last_day
    FROM commit_files SEMI JOIN small USING (repo, day, sha)
    WHERE day >= $since::DATE AND repo LIKE $repo AND NOT (path LIKE $path OR starts_with(path, rtrim($path, '/') || '/'))
    GROUP BY repo, path
)
SELECT repo, path, together, round(together / commits, 2) AS share, last_day
FROM beside JOIN counts USING (repo)
ORDER BY together DESC, share DESC, last_day DESC, repo, path
LIMIT $limit::INTEGER;
