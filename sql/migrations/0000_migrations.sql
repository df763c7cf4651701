-- Which migrations were applied, and which text of the views.
CREATE TABLE IF NOT EXISTS schema_migrations (name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL);
