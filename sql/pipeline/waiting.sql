-- The commits that have no analysis by a model yet, though one was asked for.  $language, $first, $last
SELECT analyses.repo, analyses.day, analyses.sha, error_class, retry_at, attempts,
    coalesce(endpoint, '') AS endpoint, model
FROM analyses
SEMI JOIN (SELECT repo, day, sha FROM commit_log WHERE coalesce(on_branch, true)) AS there USING (repo, day, sha)
WHERE status <> 'ok' AND language = $language AND analyses.day BETWEEN $first AND $last
ORDER BY analyses.day, analyses.repo, analyses.sha;
