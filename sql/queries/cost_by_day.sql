-- What did each day of commits cost, at which model?
-- $first day = 30d: the first day
-- $last day = newest: the last day
-- $repo pattern = %: only repositories like this
SELECT day, repo, model, count(*) AS calls, count(DISTINCT nullif(sha, '')) AS commits,
    sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, round(sum(cost), 4) AS cost
FROM attempts
WHERE day BETWEEN $first::DATE AND $last::DATE AND repo LIKE $repo
GROUP BY day, repo, model
ORDER BY day, repo, model;
