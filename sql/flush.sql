-- Rows that wait in the catalog become files.
CALL ducklake_flush_inlined_data('history');
