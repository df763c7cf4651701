-- See 0011_first_rows: no row of a history has an empty key.
DELETE FROM alarms WHERE kind = '';
DELETE FROM analyses WHERE repo = '';
DELETE FROM answers WHERE input_hash = '';
DELETE FROM attempts WHERE repo = '';
DELETE FROM commit_files WHERE repo = '';
DELETE FROM commit_log WHERE repo = '';
DELETE FROM commit_sizes WHERE repo = '';
DELETE FROM deliveries WHERE channel = '';
DELETE FROM digests WHERE language = '';
DELETE FROM endpoints WHERE endpoint = '';
DELETE FROM headlines WHERE repo = '';
DELETE FROM pull_requests WHERE repo = '';
DELETE FROM reader_pages WHERE reader = '';
DELETE FROM reads WHERE repo = '';
DELETE FROM reports WHERE repo = '';
DELETE FROM rollups WHERE kind = '';
