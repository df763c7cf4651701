-- Which files does a catalog list, by their paths below the folder of files?  (SQLite)
SELECT DISTINCT schemas.path || tables.path || files.path AS path
FROM (
    SELECT table_id, path FROM ducklake_data_file
    UNION ALL
    SELECT table_id, path FROM ducklake_delete_file
) AS files
JOIN ducklake_table AS tables USING (table_id)
JOIN ducklake_schema AS schemas USING (schema_id)
ORDER BY path;
