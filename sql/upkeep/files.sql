-- How large is each file of a table, and were some of its rows deleted?  $table
SELECT data_file_size_bytes AS bytes, delete_file IS NOT NULL AS has_deleted FROM ducklake_list_files('history', $table);
