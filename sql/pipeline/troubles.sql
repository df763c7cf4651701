-- What is wrong now? A row for each day of a repo that could not be read, each endpoint that is down, and each page that
-- did not reach a channel, of those that the settings name; of a channel, one try in vain is no trouble unless somebody
-- has to mend something.  $repos, $first, $endpoints, $channels, $since
SELECT 'repo' AS kind, repo AS subject, day, failed_at AS since, error
FROM reads
WHERE error IS NOT NULL AND day >= $first AND list_contains($repos::VARCHAR[], repo)
UNION ALL
SELECT 'endpoint', model || ' (' || endpoint || ')', NULL, since, coalesce(error, error_class)
FROM endpoints
WHERE NOT is_up AND list_contains($endpoints::VARCHAR[], model || ' (' || endpoint || ')')
UNION ALL
SELECT 'delivery', channel, day, failed_at, error
FROM deliveries
WHERE status = 'failed' AND (attempts > 1 OR error_class <> 'unavailable')
    AND failed_at >= $since AND list_contains($channels::VARCHAR[], channel)
ORDER BY kind, subject, day;
