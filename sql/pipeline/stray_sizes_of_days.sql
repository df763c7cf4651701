-- Of which commits are files stored on a repo's days that never had them?  $repo, $first, $last
SELECT day, sha FROM commit_sizes ANTI JOIN commit_log USING (repo, day, sha)
WHERE repo = $repo AND day BETWEEN $first AND $last
ORDER BY day, sha;
