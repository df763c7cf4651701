-- Of which commits of a repo's days were patches let go that had been read?  $repo, $first, $last
SELECT day, sha FROM commit_files WHERE repo = $repo AND day BETWEEN $first AND $last AND patch_state = 'expired'
UNION
-- By OR the patches of all files would be unpacked, 60 MB for 0.05 s; groups of rows without this word are passed over.
SELECT day, sha FROM commit_files WHERE repo = $repo AND day BETWEEN $first AND $last AND patch_state = 'incomplete' AND patch = ''
ORDER BY day, sha;
