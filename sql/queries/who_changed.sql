-- Who changed a path, and when? The path is a pattern as in LIKE.  $path
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, commits.author_name, files.path, files.status,
    files.additions, files.deletions, commits.title
FROM commit_files AS files JOIN commits USING (repo, day, sha)
WHERE (files.path LIKE $path OR files.previous_path LIKE $path) AND commits.on_branch
ORDER BY commits.day DESC, commits.position, files.path
LIMIT 200;
