-- One analysis for each commit that counts: where it was analysed in several languages, the newest that is ok, else the newest.
CREATE OR REPLACE VIEW current_analyses AS
-- A join, and no SEMI JOIN: what is asked of a day here is asked of both sides, so that neither is read whole.
SELECT analyses.*
FROM analyses JOIN (SELECT DISTINCT repo, day, sha FROM branch_log) AS ours USING (repo, day, sha)
ANTI JOIN (
    -- Most days have one language: only those that have more are sorted.
    SELECT repo, day, sha, language
    FROM analyses SEMI JOIN (
        SELECT repo, day FROM analyses GROUP BY repo, day HAVING min(language) <> max(language)
    ) AS mixed USING (repo, day)
    QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) > 1
) AS others USING (repo, day, sha, language);
