-- For each day with a digest: what that was made from, and each reader's page of it. reader is null where none was ever
-- looked at; page is the revision of what stands, null where nothing was theirs.  $first, $last, $language
SELECT digests.day, digests.inputs, pages.reader, pages.inputs AS made_from, pages.revision AS page
FROM (SELECT day, inputs FROM digests WHERE language = $language AND day BETWEEN $first AND $last) AS digests
LEFT JOIN (SELECT reader, day, inputs, revision FROM reader_pages WHERE day BETWEEN $first AND $last) AS pages USING (day)
ORDER BY digests.day, pages.reader;
