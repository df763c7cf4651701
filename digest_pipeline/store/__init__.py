"""The history: DuckLake on DuckDB, its catalog in SQLite and its rows in Parquet, in the data folder.

Any number of processes read and write at once. What lives here: the connection, replacing partitions,
migrations, upkeep. What is read and written by each step stands in `pipeline` and in `sql/`.
"""
