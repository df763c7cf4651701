-- Has every commit on the branch that no filter left out its analysis row, and are nine of ten ok?  $repo, $first, $last, $language
SELECT reads.day,
    count(said.sha) = count(log.sha) AND count(*) FILTER (said.status = 'ok') >= 0.9 * count(log.sha) AS passed,
    count(log.sha) AS commits,
    count(*) FILTER (said.status = 'ok') AS ok,
    count(*) FILTER (said.status = 'failed') AS failed,
    count(*) FILTER (said.status = 'deferred') AS deferred
FROM reads
LEFT JOIN (FROM commit_log WHERE on_branch IS DISTINCT FROM false AND filtered IS NULL) AS log USING (repo, day)
LEFT JOIN (FROM analyses WHERE language = $language) AS said USING (repo, day, sha)
WHERE reads.repo = $repo AND reads.day BETWEEN $first AND $last
GROUP BY reads.day
ORDER BY reads.day;
