-- Which tables has the history?
SELECT table_name AS name FROM duckdb_tables() WHERE database_name = 'history' ORDER BY table_name;
