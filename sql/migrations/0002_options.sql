-- Patches are text: zstd stores them in a third of the space that snappy takes.
CALL history.set_option('parquet_compression', 'zstd');

-- Small writes go into the catalog as rows, until upkeep makes files of them. Not those of analyses: DuckLake 1.0
-- writes a nested value there as text, and cannot read it back where a string in it holds a brace or a quote.
CALL history.set_option('data_inlining_row_limit', 0, table_name => 'analyses');
