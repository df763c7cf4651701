-- Files of a table that are smaller than so many bytes become one, or a few.  $table, $bytes
-- Never without a bound: whatever is merged is written anew, and the old files stay for a week.
FROM ducklake_merge_adjacent_files('history', $table, max_file_size => $bytes);
