-- Files of a table of which more than this share of rows was deleted are written anew without them.  $table, $share
FROM ducklake_rewrite_data_files('history', $table, delete_threshold => $share);
