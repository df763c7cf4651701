-- Files that were merged, written anew or forgotten go after a week. Never all of them: an open reader reads them.  $now
FROM ducklake_cleanup_old_files('history', older_than => $now - INTERVAL 7 DAY);
