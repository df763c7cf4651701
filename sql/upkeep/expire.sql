-- What the history was is forgotten after a week. Nothing younger: a reader may still be at it.  $now
FROM ducklake_expire_snapshots('history', older_than => $now - INTERVAL 7 DAY);
