-- Was a history begun in this database?
SELECT to_regclass('public.ducklake_snapshot') IS NOT NULL;
