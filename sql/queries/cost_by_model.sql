-- What did each model cost?
-- $since day = oldest: commits from this day on
-- $repo pattern = %: only repositories like this
-- failed are calls that brought nothing; headlines of days are calls about no commit; cost is empty where the settings name no price.
SELECT model, endpoint, count(*) AS calls,
    count(*) FILTER (outcome = 'failed') AS failed,
    count(DISTINCT nullif(sha, '')) AS commits,
    sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, sum(tokens_cached) AS tokens_cached,
    round(sum(cost), 4) AS cost,
    round(sum(cost) FILTER (sha <> '') / nullif(count(DISTINCT nullif(sha, '')), 0), 4) AS cost_of_a_commit,
    round(median(seconds), 1) AS seconds
FROM attempts
WHERE day >= $since::DATE AND repo LIKE $repo
GROUP BY model, endpoint
ORDER BY sum(cost) DESC NULLS LAST, model, endpoint;
