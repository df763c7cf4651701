-- Questions read a merged file in parallel, and pass over days that they do not ask about, by its groups of rows:
-- of the usual size, a history of 100,000 commits is one group.
CALL history.set_option('parquet_row_group_size', 4096);
