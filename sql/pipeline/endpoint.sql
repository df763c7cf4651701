-- What is known of a model at an endpoint.  $endpoint, $model
-- IS NOT DISTINCT FROM, for DuckLake reads the statistics of all files for each column that is compared by `=`: here
-- there are a handful of rows.
SELECT endpoint, model, since, is_up, error_class, error, probed_at, next_probe_at, learned
FROM endpoints WHERE endpoint IS NOT DISTINCT FROM $endpoint AND model IS NOT DISTINCT FROM $model;
