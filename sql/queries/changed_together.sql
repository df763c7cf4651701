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
small AS (
    SELECT repo, day, sha
    FROM here JOIN commit_sizes AS size USING (repo, day, sha) SEMI JOIN branch_log USING (repo, day, sha)
    WHERE size.files <= $most_files::INTEGER
)
SELECT repo, path, count(*) AS together,
    round(count(*) / (SELECT count(*) FROM small AS all_of_it WHERE all_of_it.repo = files.repo), 2) AS share,
    max(day) AS last_day
FROM commit_files AS files SEMI JOIN small USING (repo, day, sha)
WHERE NOT (path LIKE $path OR starts_with(path, rtrim($path, '/') || '/'))
GROUP BY repo, path
ORDER BY together DESC, share DESC, last_day DESC, repo, path
LIMIT $limit::INTEGER;
