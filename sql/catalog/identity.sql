-- By what is this history told from every other one, and were files written for it?
SELECT
    (SELECT schema_uuid FROM public.ducklake_schema ORDER BY schema_id LIMIT 1),
    EXISTS (SELECT FROM public.ducklake_data_file);
