-- What was left on the history in this database: where it was carried to, if it was.
SELECT obj_description(to_regclass('public.ducklake_metadata'), 'pg_class');
