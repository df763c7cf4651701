-- How was a commit asked about: every call, what it brought and what it cost?
-- $sha sha: the commit, by at least four digits of its hash
SELECT attempts.day, attempts.repo, left(attempts.sha, 7) AS sha, language, attempt, started_at, round(seconds, 1) AS seconds,
    endpoint, model, purpose, outcome, error_class, error, tokens_in, tokens_out, tokens_cached, cost
FROM attempts
WHERE starts_with(sha, lower($sha))
ORDER BY repo, day, language, attempt;
