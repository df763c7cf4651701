-- Of which files is the patch missing or incomplete?
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, files.path, files.patch_state, commits.title
FROM commit_files AS files JOIN commits USING (repo, day, sha)
WHERE files.patch_state IN ('missing', 'incomplete') AND commits.on_branch
ORDER BY commits.day, commits.repo, commits.position, files.path;
