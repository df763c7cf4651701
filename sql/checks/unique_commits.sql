-- Does each commit stand once in its day, and are there as many as were read?  $repo, $first, $last
SELECT reads.day,
    count(log.sha) = count(DISTINCT log.sha) AND count(log.sha) = reads.commit_count AS passed,
    count(log.sha) AS commits,
    count(DISTINCT log.sha) AS distinct_commits,
    reads.commit_count AS commits_read
FROM reads LEFT JOIN commit_log AS log USING (repo, day)
WHERE reads.repo = $repo AND reads.day BETWEEN $first AND $last
GROUP BY reads.day, reads.commit_count
ORDER BY reads.day;
