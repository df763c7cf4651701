-- Which history is it, and in which timezone were its days cut?
SELECT schema_uuid::VARCHAR AS history,
    coalesce((SELECT min(timezone) FROM reads WHERE head_sha IS NOT NULL), '') AS timezone
FROM __ducklake_metadata_history.ducklake_schema
WHERE schema_name = 'main' AND end_snapshot IS NULL;
