-- Of which classes are the failures at the models: how often, at whom, and what became of those commits?
-- $since day = 30d: commits from this day on
-- $repo pattern = %: only repositories like this
-- calls counts calls in vain, solved those of their commits that have an analysis by now.
WITH state AS (
    SELECT repo, day, sha, bool_or(status = 'ok') AS is_ok
    FROM analyses WHERE day >= $since::DATE GROUP BY repo, day, sha
)
SELECT calls.error_class, calls.endpoint, calls.model, count(*) AS calls,
    count(DISTINCT nullif(calls.sha, '')) AS commits,
    count(DISTINCT calls.sha) FILTER (state.is_ok) AS solved,
    sum(calls.cost) AS cost,
    max(calls.started_at) AS last_at,
    arg_max(calls.error, calls.started_at) AS last_error
FROM attempts AS calls LEFT JOIN state USING (repo, day, sha)
WHERE calls.outcome = 'failed' AND calls.day >= $since::DATE AND calls.repo LIKE $repo
GROUP BY calls.error_class, calls.endpoint, calls.model
ORDER BY count(*) DESC, calls.error_class, calls.endpoint, calls.model;
