-- The bounds of the rows that 0011 and 0012 took away again: DuckDB answers min() and max() from the bounds of a table,
-- and those of rows that are not there would be wrong for ever. Without bounds, DuckLake takes those of the first rows.
UPDATE __ducklake_metadata_history.ducklake_table_column_stats
SET min_value = NULL, max_value = NULL
WHERE table_id IN (SELECT table_id FROM __ducklake_metadata_history.ducklake_table_stats WHERE record_count = 0);
