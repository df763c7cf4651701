-- What was spent since a moment, as far as prices were known.  $since
SELECT coalesce(sum(cost), 0.0) AS cost FROM attempts WHERE started_at >= $since;
