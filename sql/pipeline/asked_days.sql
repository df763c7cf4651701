-- Every repo's day that was asked for; failed_at is null where its last reading succeeded.  $first, $last
SELECT repo, day, CASE WHEN error IS NOT NULL THEN failed_at END AS failed_at
FROM reads
WHERE day BETWEEN $first AND $last
ORDER BY day, repo;
