-- The files of some commits of a day with their patches, in git's order.  $repo, $day, $shas
SELECT sha, path, previous_path, status, additions, deletions, patch, patch_state
FROM commit_files
WHERE repo = $repo AND day = $day AND list_contains($shas::VARCHAR[], sha)
ORDER BY sha, position;
