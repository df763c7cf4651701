-- Does each commit stand once in its day, and has the branch as many of them as were read?  $repo, $first, $last
SELECT reads.day,
    count(log.sha) = count(DISTINCT log.sha)
        AND count(log.sha) FILTER (log.on_branch IS DISTINCT FROM false) = reads.commit_count AS passed,
    count(log.sha) FILTER (log.on_branch IS DISTINCT FROM false) AS commits,
    count(DISTINCT log.sha) FILTER (log.on_branch IS DISTINCT FROM false) AS distinct_commits,
    count(DISTINCT log.sha) FILTER (NOT log.on_branch) AS gone_commits,
    reads.commit_count AS commits_read
FROM reads LEFT JOIN commit_log AS log USING (repo, day)
WHERE reads.repo = $repo AND reads.day BETWEEN $first AND $last
GROUP BY reads.day, reads.commit_count
ORDER BY reads.day;
