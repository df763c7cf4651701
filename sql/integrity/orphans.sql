-- Which rows are of a commit that no day has, or of a day that was never asked for? A row for each table: its problem.
SELECT "table" || ': ' || count(*) || ' rows are of commits that commit_log does not have, such as ' || min(repo || ' ' || sha) AS problem
FROM (
    SELECT DISTINCT 'commit_sizes' AS "table", repo, sha FROM commit_sizes
    UNION ALL
    SELECT DISTINCT 'commit_files', repo, sha FROM commit_files
    UNION ALL
    SELECT DISTINCT 'analyses', repo, sha FROM analyses
) ANTI JOIN commit_log USING (repo, sha)
GROUP BY "table"
UNION ALL
SELECT 'commit_log: ' || count(*) || ' rows are of days that reads does not have, such as ' || min(concat_ws(' ', repo, day))
FROM commit_log ANTI JOIN reads USING (repo, day)
HAVING count(*) > 0
ORDER BY problem;
