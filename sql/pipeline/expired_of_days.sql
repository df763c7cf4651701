-- Of which commits of a repo's days were patches let go that had been read?  $repo, $first, $last
SELECT DISTINCT day, sha
FROM commit_files
WHERE repo = $repo AND day BETWEEN $first AND $last AND (patch_state = 'expired' OR (patch_state = 'incomplete' AND patch = ''))
ORDER BY day, sha;
