-- At which endpoints each commit was asked about in vain, how often, and when last.  $repo, $first, $last, $language
SELECT day, sha, endpoint, model, count(*) AS tries, max(started_at) AS last_at
FROM attempts
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
    AND outcome = 'failed' AND purpose <> 'part'
    AND error_class NOT IN ('outage', 'rate_limited', 'budget')
GROUP BY day, sha, endpoint, model
ORDER BY day, sha, endpoint, model;
