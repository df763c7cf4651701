-- Every table was made with a place in the catalog for rows that wait, also those whose rows never do (0002, 0005, 0010): each
-- look into one of these looks there too, 1.5 of 7 ms. What waited there has become files before this runs. The places
-- themselves stay, for who has the history open and knows of them.
DELETE FROM __ducklake_metadata_history.ducklake_inlined_data_tables
WHERE table_id IN (
    SELECT scope_id
    FROM __ducklake_metadata_history.ducklake_metadata
    WHERE scope = 'table' AND key = 'data_inlining_row_limit' AND value = '0'
);
