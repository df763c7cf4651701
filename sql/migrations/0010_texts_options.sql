-- Rows with text make files of their own, however few they are: all that waits in the catalog is in memory at once when
-- any of it is read, and when it is made a file.
CALL history.set_option('data_inlining_row_limit', 0, table_name => 'commit_files');
CALL history.set_option('data_inlining_row_limit', 0, table_name => 'reports');
CALL history.set_option('data_inlining_row_limit', 0, table_name => 'digests');
CALL history.set_option('data_inlining_row_limit', 0, table_name => 'rollups');
CALL history.set_option('data_inlining_row_limit', 0, table_name => 'reader_pages');
