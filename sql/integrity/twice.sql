-- Which rows stand twice that may stand once? A row for each table and key: its problem.
WITH found AS (
    SELECT 'reads' AS "table", concat_ws(' ', repo, day) AS key, count(*) AS times FROM reads GROUP BY repo, day
    UNION ALL
    SELECT 'commit_log', concat_ws(' ', repo, day, sha), count(*) FROM commit_log GROUP BY repo, day, sha
    UNION ALL
    SELECT 'commit_sizes', concat_ws(' ', repo, day, sha), count(*) FROM commit_sizes GROUP BY repo, day, sha
    UNION ALL
    SELECT 'commit_files', concat_ws(' ', repo, day, sha, path), count(*) FROM commit_files GROUP BY repo, day, sha, path
    UNION ALL
    SELECT 'analyses', concat_ws(' ', repo, day, sha, language), count(*) FROM analyses GROUP BY repo, day, sha, language
    UNION ALL
    SELECT 'headlines', concat_ws(' ', repo, day, language), count(*) FROM headlines GROUP BY repo, day, language
    UNION ALL
    SELECT 'reports', concat_ws(' ', repo, day, language), count(*) FROM reports GROUP BY repo, day, language
    UNION ALL
    SELECT 'digests', concat_ws(' ', day, language), count(*) FROM digests GROUP BY day, language
    UNION ALL
    SELECT 'rollups', concat_ws(' ', kind, period, language), count(*) FROM rollups GROUP BY kind, period, language
    UNION ALL
    SELECT 'reader_pages', concat_ws(' ', reader, day, language), count(*) FROM reader_pages GROUP BY reader, day, language
    UNION ALL
    SELECT 'deliveries', concat_ws(' ', channel, reader, day, language), count(*)
    FROM deliveries GROUP BY channel, reader, day, language
    UNION ALL
    SELECT 'pull_requests', concat_ws(' ', repo, number), count(*) FROM pull_requests GROUP BY repo, number
    UNION ALL
    SELECT 'endpoints', concat_ws(' ', endpoint, model), count(*) FROM endpoints GROUP BY endpoint, model
)
SELECT "table" || ': ' || key || ' stands ' || times || ' times' AS problem
FROM found WHERE times > 1 ORDER BY problem;
