-- Which files hold a table's rows now, and how large are they?  $table
SELECT data_file AS path, data_file_size_bytes AS bytes FROM ducklake_list_files('history', $table)
UNION ALL
SELECT delete_file, delete_file_size_bytes FROM ducklake_list_files('history', $table) WHERE delete_file IS NOT NULL;
