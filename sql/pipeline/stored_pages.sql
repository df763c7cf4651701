-- The pages whose paths come after this one, some hundred at a time; of several languages that of the settings, else the
-- newest.  $after, $language
WITH pages AS (
    SELECT 'reports' AS kind, path, language, rendered_at FROM reports
    UNION ALL
    SELECT 'digests', path, language, rendered_at FROM digests
    UNION ALL
    SELECT 'rollups', path, language, rendered_at FROM rollups
    UNION ALL
    SELECT 'readers', path, language, rendered_at FROM reader_pages WHERE path IS NOT NULL
),
chosen AS (
    SELECT kind, path, coalesce(max(language) FILTER (language = $language), arg_max(language, rendered_at)) AS language
    FROM pages WHERE path > $after
    GROUP BY kind, path ORDER BY path LIMIT 500
)
SELECT path, markdown
FROM (
    SELECT 'reports' AS kind, path, language, markdown FROM reports
    UNION ALL
    SELECT 'digests', path, language, markdown FROM digests
    UNION ALL
    SELECT 'rollups', path, language, markdown FROM rollups
    UNION ALL
    SELECT 'readers', path, language, markdown FROM reader_pages WHERE markdown IS NOT NULL
) SEMI JOIN chosen USING (kind, path, language)
ORDER BY path;
