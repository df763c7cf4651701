-- What is known of a model at an endpoint.  $endpoint, $model
SELECT endpoint, model, since, is_up, error_class, error, probed_at, next_probe_at, learned
FROM endpoints WHERE endpoint = $endpoint AND model = $model;
