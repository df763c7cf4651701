-- Which files of a repo's days did nobody see whole?  $repo, $first, $last
SELECT sha, path, patch_state
FROM commit_files
WHERE repo = $repo AND day BETWEEN $first AND $last AND patch_state IN ('missing', 'incomplete')
ORDER BY sha, position;
