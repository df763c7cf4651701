-- Has every link of a week's or month's page a target, in it or on the stored page of a day?  $kind, $first, $last, $language
WITH pages AS (
    SELECT first_day AS day, markdown,
        list_distinct(regexp_extract_all(markdown, '[^\\]\]\(((?:\.\./\.\./|#)[^)\s]+)\)', 1)) AS links,
        regexp_extract_all(markdown, '<a id="([^"]+)"></a>', 1) AS targets
    FROM rollups
    WHERE kind = $kind AND first_day BETWEEN $first AND $last AND language = $language
),
links AS (
    SELECT day, link, split_part(link, '#', 1) AS file, split_part(link, '#', 2) AS anchor, targets
    FROM (SELECT day, targets, unnest(links) AS link FROM pages)
),
dead AS (
    SELECT links.day, count(*) AS dead, list(link ORDER BY link)[:5]::VARCHAR AS examples
    FROM links
    LEFT JOIN (SELECT path, markdown FROM reports WHERE language = $language) AS reports
        ON reports.path = 'reports/' || links.file[7:]
    WHERE CASE
        WHEN file = '' THEN NOT list_contains(targets, anchor)
        ELSE NOT coalesce(contains(reports.markdown, '<a id="' || anchor || '"></a>'), false)
    END
    GROUP BY links.day
)
SELECT pages.day, dead.dead IS NULL AND len(targets) = len(list_distinct(targets)) AS passed, len(links) AS links,
    coalesce(dead.dead, 0) AS dead_links, len(targets) - len(list_distinct(targets)) AS doubled_anchors, examples
FROM pages LEFT JOIN dead USING (day)
ORDER BY pages.day;
