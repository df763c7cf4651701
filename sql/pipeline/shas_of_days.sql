-- Which commits does the branch have on a repo's days, as far as is stored?  $repo, $first, $last
SELECT day, sha FROM commit_log
WHERE repo = $repo AND day BETWEEN $first AND $last AND on_branch IS DISTINCT FROM false
ORDER BY day, position;
