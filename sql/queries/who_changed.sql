-- Who changed a path, and when?
-- $path pattern: a file, a folder, or a pattern as in LIKE, where % is anything; also the old name of what was moved
-- $repo pattern = %: only repositories like this
-- $since day = oldest: commits from this day on
-- $limit number = 200: how many rows
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, commits.author_name, files.path, files.status,
    files.additions, files.deletions, commits.title
FROM commit_files AS files JOIN branch_log AS commits USING (repo, day, sha)
WHERE files.day >= $since::DATE AND files.repo LIKE $repo
    AND (files.path LIKE $path OR files.previous_path LIKE $path
        OR starts_with(files.path, rtrim($path, '/') || '/') OR starts_with(files.previous_path, rtrim($path, '/') || '/'))
ORDER BY commits.day DESC, commits.repo, commits.position, files.path
LIMIT $limit::INTEGER;
