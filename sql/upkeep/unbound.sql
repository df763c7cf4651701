-- It is so for upkeep alone: a writer that promises to keep the order of rows would be refused.
DELETE FROM __ducklake_metadata_history.ducklake_metadata WHERE key = 'parquet_row_group_size_bytes';
