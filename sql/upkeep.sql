-- The upkeep of the history, daily and under the writers' lock: small files become large ones, and what no
-- reader can need any more goes. Nothing younger than a week is expired: a reader may still be at it.
CALL ducklake_flush_inlined_data('history');
CALL ducklake_merge_adjacent_files('history');
CALL ducklake_expire_snapshots('history', older_than => now() - INTERVAL 7 DAY);
CALL ducklake_cleanup_old_files('history', older_than => now() - INTERVAL 7 DAY);
CALL ducklake_delete_orphaned_files('history', older_than => now() - INTERVAL 1 DAY);
