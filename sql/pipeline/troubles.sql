-- What is wrong now? A row for each day of a repo that could not be read, and each endpoint that is down of those that
-- the settings name.  $repos, $first, $endpoints
SELECT 'repo' AS kind, repo AS subject, day, failed_at AS since, error
FROM reads
WHERE error IS NOT NULL AND day >= $first AND list_contains($repos::VARCHAR[], repo)
UNION ALL
SELECT 'endpoint', model || ' (' || endpoint || ')', NULL, since, coalesce(error, error_class)
FROM endpoints
WHERE NOT is_up AND list_contains($endpoints::VARCHAR[], model || ' (' || endpoint || ')')
ORDER BY kind, subject, day;
