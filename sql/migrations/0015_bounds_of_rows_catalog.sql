-- Of a table that had rows already, 0011 left the bounds of the rows that it took away again: min(day) of attempts was answered
-- from them, and said 1970. No row has an empty key: where one is a bound, the table's bounds are forgotten, and such questions
-- are answered from the rows from then on. Files have bounds of their own, by which they are passed over.
DELETE FROM __ducklake_metadata_history.ducklake_table_column_stats
WHERE table_id IN (
    SELECT bounds.table_id
    FROM __ducklake_metadata_history.ducklake_table_column_stats AS bounds
    JOIN __ducklake_metadata_history.ducklake_table AS tables USING (table_id)
    JOIN __ducklake_metadata_history.ducklake_column AS keys USING (table_id, column_id)
    WHERE bounds.min_value = '' AND tables.end_snapshot IS NULL AND keys.end_snapshot IS NULL
        AND concat(tables.table_name, '.', keys.column_name) IN (
            'alarms.kind', 'answers.input_hash', 'attempts.repo', 'deliveries.channel', 'endpoints.endpoint', 'headlines.repo',
            'pull_requests.repo', 'reader_pages.reader', 'rollups.kind',
            -- An import left them in these.
            'commit_log.repo', 'commit_sizes.repo', 'reads.repo'
        )
);
-- DuckLake expects a row for each table that has statistics, and passes over one of a column that is not there any more.
INSERT INTO __ducklake_metadata_history.ducklake_table_column_stats (table_id, column_id, contains_null)
SELECT table_id, 1000000, true
FROM __ducklake_metadata_history.ducklake_table_stats
WHERE table_id NOT IN (SELECT table_id FROM __ducklake_metadata_history.ducklake_table_column_stats);
