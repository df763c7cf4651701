-- One analysis for each commit that counts: where it was analysed in several languages, the newest that is ok, else the newest.
CREATE OR REPLACE VIEW current_analyses AS
SELECT analyses.*
FROM analyses SEMI JOIN branch_log USING (repo, day, sha)
QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) = 1;
