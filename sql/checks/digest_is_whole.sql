-- Is every repo in the digest, with the page that it has now?  $first, $last, $language
WITH pages AS (
    SELECT day, count(*) AS pages, max(rendered_at) AS newest
    FROM reports
    WHERE day BETWEEN $first AND $last AND language = $language
    GROUP BY day
)
SELECT digests.day,
    len(missing_repos) = 0 AND coalesce(newest <= rendered_at, true) AS passed,
    repos,
    nullif(array_to_string(missing_repos, ', '), '') AS missing_repos,
    strftime(newest, '%Y-%m-%d %H:%M:%S%z') AS newest_page_at,
    strftime(rendered_at, '%Y-%m-%d %H:%M:%S%z') AS rendered_at
FROM digests LEFT JOIN pages USING (day)
WHERE digests.day BETWEEN $first AND $last AND digests.language = $language
ORDER BY digests.day;
