-- The files of the commits that count, with their patches.
CREATE OR REPLACE VIEW current_files AS
SELECT files.*
FROM commit_files AS files ANTI JOIN commits_left_out USING (repo, day, sha);
