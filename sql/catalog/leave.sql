-- Marks the history in this database as carried elsewhere; NULL takes the mark away.
SET LOCAL lock_timeout = '60s';
COMMENT ON TABLE public.ducklake_metadata IS %(comment)s;
