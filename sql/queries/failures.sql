-- Which analyses failed or wait, of which class, and when are they tried again?  $since
SELECT day, repo, left(sha, 7) AS sha, tier, status, error_class, attempts, retry_at, error
FROM analyses SEMI JOIN (FROM commits WHERE on_branch AND filtered IS NULL) AS commits USING (repo, day, sha)
WHERE status <> 'ok' AND day >= $since::DATE
ORDER BY day DESC, repo, sha;
