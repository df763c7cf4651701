-- The commits that the branch has on a repo's days, those too that are left out, newest first within a day.  $repo, $first, $last
SELECT repo, day, position, sha, author_name, authored_at, committed_at, message, pull_request,
    filtered, folded, additions, deletions, files, unread_files, complete
FROM commits
WHERE repo = $repo AND day BETWEEN $first AND $last AND on_branch
ORDER BY day, position;
