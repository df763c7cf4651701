-- The files of the commits that count, with their patches.
CREATE OR REPLACE VIEW current_files AS
SELECT files.*
FROM commit_files AS files SEMI JOIN branch_log USING (repo, day, sha);
