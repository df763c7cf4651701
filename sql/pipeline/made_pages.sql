-- Which pages stand that could be brought somewhere, what were they made from, and how many repos were not done yet when
-- the day's digest was made? reader is '' for the whole digest.  $first, $last, $language
WITH made AS (
    SELECT day, revision, inputs, len(missing_repos) AS missing
    FROM digests WHERE language = $language AND day BETWEEN $first AND $last
)
SELECT '' AS reader, day, revision, inputs AS made_from, missing FROM made
UNION ALL
SELECT pages.reader, day, pages.revision, pages.inputs, made.missing
FROM (FROM reader_pages WHERE day BETWEEN $first AND $last AND revision IS NOT NULL) AS pages
JOIN made USING (day)
ORDER BY reader, day;
