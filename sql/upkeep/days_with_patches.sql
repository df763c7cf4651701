-- Which days before this one have patches, and of how many files?  $before
SELECT day, count(*) AS patches
FROM commit_files
WHERE day < $before AND patch IS NOT NULL AND patch_state IN ('text', 'incomplete')
GROUP BY day ORDER BY day;
