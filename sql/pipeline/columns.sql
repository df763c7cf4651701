-- Which columns has a table?  $table, $database
SELECT column_name AS name FROM duckdb_columns() WHERE table_name = $table AND database_name = $database;
