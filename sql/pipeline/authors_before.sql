-- Who of these committed to a repo on stored days before this one?  $repo, $first, $names
SELECT DISTINCT author_name
FROM commit_log
WHERE repo = $repo AND day < $first AND on_branch IS DISTINCT FROM false
    AND author_name IN (SELECT unnest($names::VARCHAR[]));
