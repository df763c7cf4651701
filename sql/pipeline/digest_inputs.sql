-- What a range of days' digests are made from: every repo that was asked for, with its page if it has one.
-- $first, $last, $language
SELECT reads.repo, reads.day, reads.head_sha, reads.error, reads.commit_count,
    reports.revision, reports.path, reports.markdown, reports.commits, reports.high, reports.medium, reports.low,
    reports.analysed, reports.failed, reports.deferred
FROM reads
LEFT JOIN (FROM reports WHERE language = $language AND day BETWEEN $first AND $last) AS reports USING (repo, day)
WHERE reads.day BETWEEN $first AND $last
ORDER BY reads.day, reads.repo;
