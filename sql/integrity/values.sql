-- Which rows hold what no step writes? A row for each table and kind: its problem.
SELECT 'commit_files: ' || count(*) || ' rows with patch_state ' || patch_state
    || CASE WHEN patch IS NULL THEN ' and without a patch' ELSE ' and with a patch' END AS problem
FROM commit_files
WHERE (patch_state IN ('binary', 'mode', 'missing', 'expired') AND patch IS NOT NULL)
    OR (patch_state IN ('text', 'submodule') AND patch IS NULL)
    OR patch_state NOT IN ('text', 'binary', 'submodule', 'mode', 'missing', 'incomplete', 'expired')
GROUP BY patch_state, patch IS NULL
UNION ALL
SELECT 'analyses: ' || count(*) || ' rows with status ' || status || CASE WHEN analysis IS NULL THEN ' and no analysis' ELSE '' END
FROM analyses
WHERE (status = 'ok' AND analysis IS NULL) OR status NOT IN ('ok', 'failed', 'deferred')
GROUP BY status, analysis IS NULL
UNION ALL
SELECT 'reports: ' || count(*) || ' pages that are not what their revision says, such as ' || min(path)
FROM reports WHERE regexp_full_match(revision, '[0-9a-f]{16}') AND revision <> left(sha256(markdown), 16)
HAVING count(*) > 0
UNION ALL
SELECT 'digests: ' || count(*) || ' pages that are not what their revision says, such as ' || min(path)
FROM digests WHERE regexp_full_match(revision, '[0-9a-f]{16}') AND revision <> left(sha256(markdown), 16)
HAVING count(*) > 0
UNION ALL
SELECT 'rollups: ' || count(*) || ' pages that are not what their revision says, such as ' || min(path)
FROM rollups WHERE regexp_full_match(revision, '[0-9a-f]{16}') AND revision <> left(sha256(markdown), 16)
HAVING count(*) > 0
UNION ALL
SELECT 'reader_pages: ' || count(*) || ' pages that are not what their revision says, such as ' || min(path)
FROM reader_pages WHERE regexp_full_match(revision, '[0-9a-f]{16}') AND revision <> left(sha256(markdown), 16)
HAVING count(*) > 0
ORDER BY problem;
