-- One analysis for each commit that counts: where it was analysed in several languages, the newest that is ok, else the newest.
CREATE OR REPLACE VIEW current_analyses AS
SELECT analyses.*
FROM analyses ANTI JOIN commits_left_out USING (repo, day, sha)
ANTI JOIN (
    -- Most days have one language: only those that have more are sorted.
    SELECT repo, day, sha, language
    FROM analyses SEMI JOIN (
        SELECT repo, day FROM analyses GROUP BY repo, day HAVING min(language) <> max(language)
    ) AS mixed USING (repo, day)
    QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) > 1
) AS others USING (repo, day, sha, language);
