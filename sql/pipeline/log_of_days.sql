-- All commits that a repo's days ever had, those too that the branch no longer has.  $repo, $first, $last
SELECT * FROM commit_log WHERE repo = $repo AND day BETWEEN $first AND $last ORDER BY day, position;
