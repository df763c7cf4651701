-- Marks the history in this database as carried elsewhere; NULL takes the mark away.
COMMENT ON TABLE public.ducklake_metadata IS %(comment)s;
