-- Are the models well: up or down, how fast, how often in vain?
-- $since day = 30d: calls about commits from this day on
WITH calls AS (
    SELECT endpoint, model, count(*) AS calls, count(*) FILTER (outcome = 'failed') AS failed,
        median(seconds) AS seconds, quantile_cont(seconds, 0.95) AS slow_seconds, max(started_at) AS last_call_at
    FROM attempts WHERE day >= $since::DATE
    GROUP BY endpoint, model
)
SELECT endpoint, model,
    CASE WHEN is_up THEN 'up' WHEN NOT is_up THEN 'down' END AS state, since,
    coalesce(calls, 0) AS calls, coalesce(failed, 0) AS failed,
    round(failed / nullif(calls, 0), 3) AS share_failed,
    round(seconds, 1) AS seconds, round(slow_seconds, 1) AS slow_seconds, last_call_at,
    error_class, error, next_probe_at
FROM endpoints FULL JOIN calls USING (endpoint, model)
ORDER BY endpoint, model;
