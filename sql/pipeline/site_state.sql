-- One hash over all digests: another one where any of them became another one.
SELECT coalesce(md5(string_agg(concat_ws('|', day, language, revision, inputs), ';' ORDER BY day, language)), '') AS state,
    count(*) AS digests
FROM digests;
