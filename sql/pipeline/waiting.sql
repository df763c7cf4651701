-- The commits that have no analysis by a model yet, though one was asked for.  $language, $first, $last
-- vain counts the calls about each that an endpoint took and that brought nothing, vain_at is when the last one went out.
WITH vain AS (
    SELECT repo, day, sha, count(*) AS calls, max(started_at) AS last_at
    FROM attempts
    WHERE outcome <> 'ok' AND error_class NOT IN ('outage', 'rate_limited', 'budget')
        AND language = $language AND day BETWEEN $first AND $last
    GROUP BY repo, day, sha
)
SELECT analyses.repo, analyses.day, analyses.sha, error_class, retry_at, attempts,
    coalesce(endpoint, '') AS endpoint, model, coalesce(vain.calls, 0) AS vain, vain.last_at AS vain_at
FROM analyses
SEMI JOIN (SELECT repo, day, sha FROM commit_log WHERE coalesce(on_branch, true)) AS there USING (repo, day, sha)
LEFT JOIN vain USING (repo, day, sha)
WHERE status <> 'ok' AND language = $language AND analyses.day BETWEEN $first AND $last
ORDER BY analyses.day, analyses.repo, analyses.sha;
