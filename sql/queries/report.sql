-- What does the page of a day say, in Markdown?
-- $day day = newest: the day
-- $repo text = *: a repository's own page; * for the digest over all of them
-- Where it was made in several languages, the one that was made last.
SELECT markdown FROM (
    SELECT '*' AS repo, day, rendered_at, language, markdown FROM digests
    UNION ALL
    SELECT repo, day, rendered_at, language, markdown FROM reports
)
WHERE repo = $repo AND day = $day::DATE
ORDER BY rendered_at DESC, language
LIMIT 1;
