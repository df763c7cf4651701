-- A group of rows is written when it has so many bytes: it is in memory at once, however large its patches are.
CALL history.set_option('parquet_row_group_size_bytes', '16MB');
