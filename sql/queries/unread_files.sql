-- Of which files is the patch missing or incomplete?
-- $since day = oldest: commits from this day on
-- $repo pattern = %: only repositories like this
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, files.path, files.patch_state, commits.title
FROM commit_files AS files JOIN branch_log AS commits USING (repo, day, sha)
WHERE files.patch_state IN ('missing', 'incomplete') AND files.day >= $since::DATE AND files.repo LIKE $repo
ORDER BY commits.day, commits.repo, commits.position, files.path;
