-- Are the files of every commit on the branch there that needs them, and of none that the day never had?  $repo, $first, $last
WITH files AS (
    SELECT day, sha, count(*) AS files, count(DISTINCT path) AS paths,
        coalesce(sum(additions), 0) AS additions, coalesce(sum(deletions), 0) AS deletions
    FROM commit_files WHERE repo = $repo AND day BETWEEN $first AND $last
    GROUP BY day, sha
),
sizes AS (
    SELECT day, sha, files, additions, deletions
    FROM commit_sizes WHERE repo = $repo AND day BETWEEN $first AND $last
),
log AS (
    -- Files of a commit that the branch no longer has are kept where they were read.
    -- What was left out whatever its files are has none.
    SELECT day, sha, on_branch IS DISTINCT FROM false AND filtered IS NULL AS is_shown
    FROM commit_log WHERE repo = $repo AND day BETWEEN $first AND $last
),
compared AS (
    SELECT coalesce(log.day, sizes.day, files.day) AS day,
        log.sha IS NULL AS is_stray,
        sizes.sha IS NULL AND coalesce(log.is_shown, true) AS is_unread,
        coalesce(files.files, 0) <> coalesce(sizes.files, 0)
            OR coalesce(files.paths, 0) <> coalesce(sizes.files, 0)
            OR coalesce(files.additions, 0) <> coalesce(sizes.additions, 0)
            OR coalesce(files.deletions, 0) <> coalesce(sizes.deletions, 0) AS differs
    FROM log FULL JOIN sizes USING (day, sha) FULL JOIN files USING (day, sha)
)
SELECT reads.day,
    NOT coalesce(bool_or(is_stray OR is_unread OR differs), false) AS passed,
    count(*) FILTER (is_stray) AS stray_commits,
    count(*) FILTER (is_unread) AS unread_commits,
    count(*) FILTER (differs) AS differing_commits
FROM reads LEFT JOIN compared USING (day)
WHERE reads.repo = $repo AND reads.day BETWEEN $first AND $last
GROUP BY reads.day
ORDER BY reads.day;
