-- Where do tables that are written together disagree? A row for each day or commit: its problem.
WITH logged AS (
    SELECT repo, day, count(*) FILTER (on_branch IS DISTINCT FROM false) AS commits FROM commit_log GROUP BY repo, day
),
files AS (
    SELECT repo, day, sha, count(*) AS files, coalesce(sum(additions), 0) AS additions,
        coalesce(sum(deletions), 0) AS deletions
    FROM commit_files GROUP BY repo, day, sha
)
SELECT 'reads: ' || concat_ws(' ', repo, day) || ' counts ' || commit_count || ' commits, commit_log holds '
    || coalesce(logged.commits, 0) AS problem
FROM reads LEFT JOIN logged USING (repo, day)
WHERE head_sha IS NOT NULL AND commit_count <> coalesce(logged.commits, 0)
UNION ALL
SELECT 'commit_sizes: ' || concat_ws(' ', coalesce(sizes.repo, files.repo), coalesce(sizes.day, files.day), coalesce(sizes.sha, files.sha))
    || CASE WHEN sizes.sha IS NULL THEN ' has no row, and ' || files.files || ' files'
        ELSE ' counts ' || sizes.files || ' files, +' || sizes.additions || ' −' || sizes.deletions || ', commit_files holds '
            || coalesce(files.files, 0) || ', +' || coalesce(files.additions, 0) || ' −' || coalesce(files.deletions, 0) END
FROM commit_sizes AS sizes FULL JOIN files USING (repo, day, sha)
WHERE sizes.sha IS NULL
    OR (sizes.files, sizes.additions, sizes.deletions)
        IS DISTINCT FROM (coalesce(files.files, 0), coalesce(files.additions, 0), coalesce(files.deletions, 0))
ORDER BY problem;
