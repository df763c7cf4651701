-- The files of a repo's days without their patches, a list for each commit.  $repo, $first, $last
SELECT sha, list({
        'path': path, 'previous_path': previous_path, 'status': status,
        'additions': additions, 'deletions': deletions, 'patch_state': patch_state
    } ORDER BY position) AS files
FROM commit_files
WHERE repo = $repo AND day BETWEEN $first AND $last
GROUP BY sha;
