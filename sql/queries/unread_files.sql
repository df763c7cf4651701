-- Of which files is the patch missing or incomplete?
-- $since day = 200k: commits from this day on
-- $repo pattern = %: only repositories like this
WITH unread AS (
    SELECT repo, day, sha, path, patch_state
    FROM commit_files
    WHERE patch_state IN ('missing', 'incomplete') AND day >= $since::DATE AND repo LIKE $repo
)
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, unread.path, unread.patch_state, commits.title
FROM branch_log AS commits JOIN unread USING (repo, day, sha)
WHERE commits.day >= $since::DATE
ORDER BY commits.day, commits.repo, commits.position, unread.path;
