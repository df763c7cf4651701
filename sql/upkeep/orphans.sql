-- Files that a killed writer left go after a day: what is younger may be about to be listed.  $now
FROM ducklake_delete_orphaned_files('history', older_than => $now - INTERVAL 1 DAY);
