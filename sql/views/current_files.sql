-- The files of the commits that count, with their patches.
CREATE OR REPLACE VIEW current_files AS
-- A join, and no SEMI JOIN: what is asked of a day here is asked of both sides, so that neither is read whole.
SELECT files.*
FROM commit_files AS files JOIN (SELECT DISTINCT repo, day, sha FROM branch_log) AS ours USING (repo, day, sha);
