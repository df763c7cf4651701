-- How many rows have these files, by what stands at their end?  $paths
SELECT file_name AS path, num_rows AS rows FROM parquet_file_metadata($paths);
