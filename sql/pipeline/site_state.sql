-- One hash over all digests and rollups: another one where any of them became another one.
WITH texts AS (
    SELECT concat_ws('|', day, language, revision, inputs) AS told FROM digests
    UNION ALL
    SELECT concat_ws('|', kind, period, language, revision) FROM rollups
)
SELECT coalesce((SELECT md5(string_agg(told, ';' ORDER BY told)) FROM texts), '') AS state,
    (SELECT count(*) FROM digests) AS digests;
