-- The commits that have no analysis by a model yet, though one was asked for, and where each was asked about in vain, how
-- often, and when last.  $language, $first, $last
WITH tried AS (
    SELECT repo, day, sha,
        list({'endpoint': endpoint, 'model': model, 'tries': tries, 'last_at': last_at} ORDER BY endpoint, model) AS tried
    FROM vain_tries
    WHERE language = $language AND day BETWEEN $first AND $last
    GROUP BY repo, day, sha
)
SELECT analyses.repo, analyses.day, analyses.sha, error_class, retry_at, attempts,
    coalesce(endpoint, '') AS endpoint, model, coalesce(tried.tried, []) AS tried
FROM analyses
SEMI JOIN (SELECT repo, day, sha FROM commit_log WHERE coalesce(on_branch, true) AND filtered IS NULL) AS there USING (repo, day, sha)
LEFT JOIN tried USING (repo, day, sha)
WHERE status <> 'ok' AND language = $language AND analyses.day BETWEEN $first AND $last
ORDER BY analyses.day, analyses.repo, analyses.sha;
