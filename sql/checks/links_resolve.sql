-- Has every link inside the page a target in it?  $repo, $first, $last, $language
-- Ours name their repo, whose slash is a tilde in anchors; what a commit or a model wrote stands in code, or escaped.
WITH links AS (
    SELECT day,
        list_distinct(regexp_extract_all(markdown, '\]\(#([^)\s]+~[^)\s]+)\)', 1)) AS wanted,
        regexp_extract_all(markdown, '<a id="([^"]+)"></a>', 1) AS targets
    FROM reports
    WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
),
broken AS (
    SELECT day, len(wanted) AS links, len(targets) - len(list_distinct(targets)) AS doubled,
        list_filter(wanted, lambda link: NOT list_contains(targets, link)) AS dead
    FROM links
)
SELECT day, len(dead) = 0 AND doubled = 0 AS passed, links, len(dead) AS dead_links, doubled AS doubled_anchors, dead[:5]::VARCHAR AS examples
FROM broken
ORDER BY day;
