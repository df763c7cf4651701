-- Which analyses failed or wait, of which class, and when are they tried again?
-- $since day = 30d: commits from this day on
-- $repo pattern = %: only repositories like this
SELECT day, repo, left(sha, 7) AS sha, tier, status, error_class, attempts, retry_at, error
FROM analyses SEMI JOIN (SELECT repo, day, sha FROM branch_log WHERE day >= $since::DATE) AS ours USING (repo, day, sha)
WHERE status <> 'ok' AND day >= $since::DATE AND repo LIKE $repo
ORDER BY day DESC, repo, sha, language;
