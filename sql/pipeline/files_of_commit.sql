-- The files of one commit with their patches, in git's order.  $repo, $day, $sha
SELECT path, previous_path, status, additions, deletions, patch, patch_state
FROM commit_files
WHERE repo = $repo AND day = $day AND sha = $sha
ORDER BY position;
