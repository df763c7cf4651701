-- Which files hold the rows of each table now, below the folder of files; how large is each, and how many rows has it?
SELECT tables.table_name AS "table", schemas.path || tables.path || files.path AS path,
    files.file_size_bytes AS bytes, files.record_count AS rows
FROM (
    SELECT table_id, path, file_size_bytes, record_count
    FROM __ducklake_metadata_history.ducklake_data_file WHERE end_snapshot IS NULL
    UNION ALL
    SELECT table_id, path, file_size_bytes, delete_count
    FROM __ducklake_metadata_history.ducklake_delete_file WHERE end_snapshot IS NULL
) AS files
JOIN __ducklake_metadata_history.ducklake_table AS tables USING (table_id)
JOIN __ducklake_metadata_history.ducklake_schema AS schemas USING (schema_id)
WHERE tables.end_snapshot IS NULL AND schemas.end_snapshot IS NULL
ORDER BY tables.table_name, files.path;
