-- Patches are text: zstd stores them in a third of the space that snappy takes.
CALL history.set_option('parquet_compression', 'zstd');
