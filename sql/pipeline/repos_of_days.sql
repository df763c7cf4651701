-- Every repo that was asked for on a range of days, whether it has a page in one language, why it could not be read, and
-- what the day's digest was made from.  $first, $last, $language
SELECT reads.repo, reads.day, reads.error, reports.revision IS NOT NULL AS has_page, digests.inputs
FROM reads
LEFT JOIN (SELECT repo, day, revision FROM reports WHERE language = $language AND day BETWEEN $first AND $last) AS reports
    USING (repo, day)
LEFT JOIN (SELECT day, inputs FROM digests WHERE language = $language AND day BETWEEN $first AND $last) AS digests
    USING (day)
WHERE reads.day BETWEEN $first AND $last
ORDER BY reads.day, reads.repo;
