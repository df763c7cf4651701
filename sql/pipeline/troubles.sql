-- What is wrong now? A row for each day of a repo that could not be read, each endpoint that is down, and each recent
-- day of which less than nine of ten commits are analysed.  $repos, $first, $recent, $language, $asks
-- Coverage is what the page says: while a run is under way, commits are there before their analyses.
SELECT 'repo' AS kind, repo AS subject, day, failed_at AS since, error, NULL::INTEGER AS analysed, NULL::INTEGER AS commits
FROM reads
WHERE error IS NOT NULL AND day >= $first AND list_contains($repos::VARCHAR[], repo)
UNION ALL
SELECT 'endpoint', model || ' (' || endpoint || ')', NULL, since, coalesce(error, error_class), NULL, NULL
FROM endpoints
WHERE NOT is_up AND $asks
UNION ALL
SELECT 'coverage', repo, day, NULL, NULL, analysed, commits
FROM reports
WHERE language = $language AND day >= $first AND day >= $recent AND list_contains($repos::VARCHAR[], repo)
    AND analysed < 0.9 * commits
ORDER BY kind, subject, day;
