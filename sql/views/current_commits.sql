-- The commits that count, with their sizes: the branch has them, and no filter of the settings left them out; folded says why a page tells one in a line.
CREATE OR REPLACE VIEW current_commits AS
SELECT log.*, size.additions, size.deletions, size.files, size.unread_files, size.complete
FROM branch_log AS log LEFT JOIN commit_sizes AS size USING (repo, day, sha);
