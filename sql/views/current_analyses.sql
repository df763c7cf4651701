-- One analysis for each commit that its branch has and no filter left out: where it was analysed in several languages, the newest that is ok, else the newest.
CREATE OR REPLACE VIEW current_analyses AS
SELECT analyses.*
FROM analyses SEMI JOIN (FROM commit_log WHERE on_branch IS DISTINCT FROM false AND filtered IS NULL) AS log USING (repo, day, sha)
QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) = 1;
