-- How many rows does DuckLake count in commit_log? Those too that were replaced: never fewer than there are commits.
SELECT stats.record_count
FROM __ducklake_metadata_history.ducklake_table AS tables
    JOIN __ducklake_metadata_history.ducklake_table_stats AS stats USING (table_id)
WHERE tables.table_name = 'commit_log' AND tables.end_snapshot IS NULL;
