-- The state of every repo's day that was ever asked for.  $language
SELECT reads.repo, reads.day,
    CASE
        WHEN reads.error IS NOT NULL THEN 'failed'
        WHEN page.revision IS NULL THEN 'unfinished'
        ELSE 'made'
    END AS state,
    reads.error,
    reads.commit_count AS commits,
    coalesce(page.analysed, 0) AS ok,
    coalesce(page.failed, 0) AS failed,
    coalesce(page.deferred, 0) AS deferred,
    coalesce(page.high, 0) AS high,
    coalesce(page.medium, 0) AS medium,
    coalesce(page.low, 0) AS low,
    page.path AS report
FROM reads
LEFT JOIN (FROM reports WHERE language = $language) AS page USING (repo, day)
ORDER BY reads.repo, reads.day;
