-- What the calls about each day's commits cost so far.  $repo, $first, $last, $language
SELECT day, count(*) AS calls, sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out,
    sum(tokens_cached) AS tokens_cached, sum(cost) AS cost
FROM attempts
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
GROUP BY day
ORDER BY day;
