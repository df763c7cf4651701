-- Which days before this one have patches, and of how many files?  $before
SELECT day, count(*) AS patches
FROM commit_files
WHERE day < $before AND (patch_state = 'text' OR (patch_state = 'incomplete' AND patch <> ''))
GROUP BY day ORDER BY day;
