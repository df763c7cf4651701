-- How many files hold the rows of each table, and how large are they?
SELECT table_name AS name, file_count + delete_file_count AS files, file_size_bytes + delete_file_size_bytes AS bytes
FROM ducklake_table_info('history')
ORDER BY table_name;
