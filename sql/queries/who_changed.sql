-- Who changed a path, and when?
-- $path pattern: a file, a folder, or a pattern as in LIKE, where % is anything; also the old name of what was moved
-- $repo pattern = %: only repositories like this
-- $since day = 200k: commits from this day on
-- $limit number = 200: how many rows
WITH changed AS (
    SELECT repo, day, sha, path, status, additions, deletions
    FROM commit_files
    WHERE day >= $since::DATE AND repo LIKE $repo
        AND (path LIKE $path OR previous_path LIKE $path
            OR starts_with(path, rtrim($path, '/') || '/') OR starts_with(previous_path, rtrim($path, '/') || '/'))
),
newest AS (
    SELECT changed.*, log.position
    FROM (SELECT repo, day, sha, position FROM branch_log WHERE day >= $since::DATE) AS log JOIN changed USING (repo, day, sha)
    ORDER BY day DESC, repo, position, path
    LIMIT $limit::INTEGER
),
-- Messages are read of these alone.
logged AS (
    SELECT repo, day, sha, author_name, message FROM commit_log SEMI JOIN newest USING (repo, day, sha)
)
SELECT newest.day, newest.repo, left(newest.sha, 7) AS sha, author_name, path, status, additions, deletions,
    regexp_extract(message, '\S(?:[^\n]*\S)?') AS title
FROM newest JOIN logged USING (repo, day, sha)
ORDER BY newest.day DESC, newest.repo, newest.position, path;
