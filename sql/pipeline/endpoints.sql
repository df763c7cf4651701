-- What is known of each model at its endpoint.
SELECT endpoint, model, since, is_up, error_class, error, probed_at, next_probe_at, learned
FROM endpoints ORDER BY endpoint, model;
