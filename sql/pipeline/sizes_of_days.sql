-- Of which commits of a repo's days are the files stored?  $repo, $first, $last
SELECT day, sha FROM commit_sizes WHERE repo = $repo AND day BETWEEN $first AND $last ORDER BY day, sha;
