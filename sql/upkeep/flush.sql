-- Rows of a table that wait in the catalog become a file.  $table
FROM ducklake_flush_inlined_data('history', table_name => $table);
