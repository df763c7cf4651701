-- How many commits went into each directory, down to four folders, on each day from 29 days before the range on?
-- $repo, $first, $last
WITH folders AS (
    SELECT DISTINCT day, sha, string_split(parse_dirpath(path), '/')[:4] AS folders
    FROM commit_files
    SEMI JOIN (
        FROM commit_log
        WHERE repo = $repo AND day BETWEEN $first::DATE - 29 AND $last
            AND on_branch IS DISTINCT FROM false AND filtered IS NULL
    ) AS log USING (repo, day, sha)
    WHERE repo = $repo AND day BETWEEN $first::DATE - 29 AND $last AND contains(path, '/')
),
counted AS (
    SELECT directory, day, count(*) AS commits
    FROM (
        SELECT DISTINCT day, sha, array_to_string(folders[:depth], '/') AS directory
        FROM folders, unnest(range(1, len(folders) + 1)) AS depths(depth)
    )
    GROUP BY directory, day
)
SELECT directory, list(day ORDER BY day) AS days, list(commits ORDER BY day) AS commits
FROM counted
GROUP BY directory
ORDER BY directory;
