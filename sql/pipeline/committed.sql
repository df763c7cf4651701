-- Did this transaction come to its end?  $token
FROM ducklake_snapshots('history') WHERE commit_extra_info = $token;
