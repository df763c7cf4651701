-- A row in every table that has none, which 0011_first_rows_after takes away again: of a table that never had one DuckLake
-- 1.0 asks its catalog for statistics again and again, once for each column of each query (fixed after it:
-- github.com/duckdb/ducklake/pull/1313). A look into an empty table took 15 to 26 ms, and takes 2.
INSERT INTO alarms (kind, subject, detail, raised_at)
SELECT '', '', '', 'epoch' WHERE NOT EXISTS (FROM alarms);
INSERT INTO analyses (repo, day, sha, language, analyst, model, profile, tier, score, reasons, status, attempts,
    prompt_version, input_hash, tokens_in, tokens_out, tokens_cached, shown_lines, changed_lines, analysed_at)
SELECT '', DATE '1970-01-01', '', '', '', '', '', '', 0, [], '', 0, '', '', 0, 0, 0, 0, 0, 'epoch' WHERE NOT EXISTS
    (FROM analyses);
INSERT INTO answers (input_hash, model, endpoint, language, tier, prompt_version, analysis, shown_lines, changed_lines,
    answered_at)
SELECT '', '', '', '', '', '', '', 0, 0, 'epoch' WHERE NOT EXISTS (FROM answers);
INSERT INTO attempts (repo, day, sha, language, attempt, started_at, seconds, endpoint, model, purpose, outcome,
    tokens_in, tokens_out, tokens_cached)
SELECT '', DATE '1970-01-01', '', '', 0, 'epoch', 0, '', '', '', '', 0, 0, 0 WHERE NOT EXISTS (FROM attempts);
INSERT INTO commit_files (repo, day, sha, position, path, status, patch_state)
SELECT '', DATE '1970-01-01', '', 0, '', '', '' WHERE NOT EXISTS (FROM commit_files);
INSERT INTO commit_log (repo, day, position, sha, parents, author_name, author_email, authored_at, committer_name,
    committer_email, committed_at, message)
SELECT '', DATE '1970-01-01', 0, '', [], '', '', 'epoch', '', '', 'epoch', '' WHERE NOT EXISTS (FROM commit_log);
INSERT INTO commit_sizes (repo, day, sha, additions, deletions, files, unread_files, complete)
SELECT '', DATE '1970-01-01', '', 0, 0, 0, 0, FALSE WHERE NOT EXISTS (FROM commit_sizes);
INSERT INTO deliveries (channel, reader, day, language, status, attempts)
SELECT '', '', DATE '1970-01-01', '', '', 0 WHERE NOT EXISTS (FROM deliveries);
INSERT INTO digests (day, language, path, revision, inputs, markdown, repos, missing_repos, rendered_at)
SELECT DATE '1970-01-01', '', '', '', '', '', 0, [], 'epoch' WHERE NOT EXISTS (FROM digests);
INSERT INTO endpoints (endpoint, model, is_up, since, learned)
SELECT '', '', FALSE, 'epoch', '' WHERE NOT EXISTS (FROM endpoints);
INSERT INTO headlines (repo, day, language, inputs, status, sentences, model, endpoint, composed_at)
SELECT '', DATE '1970-01-01', '', '', '', '', '', '', 'epoch' WHERE NOT EXISTS (FROM headlines);
INSERT INTO pull_requests (repo, number, title, labels, body, read_at)
SELECT '', 0, '', [], '', 'epoch' WHERE NOT EXISTS (FROM pull_requests);
INSERT INTO reader_pages (reader, day, language, inputs, repos, commits, rendered_at)
SELECT '', DATE '1970-01-01', '', '', 0, 0, 'epoch' WHERE NOT EXISTS (FROM reader_pages);
INSERT INTO reads (repo, day, source, window_start, window_end, timezone)
SELECT '', DATE '1970-01-01', '', 'epoch', 'epoch', '' WHERE NOT EXISTS (FROM reads);
INSERT INTO reports (repo, day, language, path, revision, markdown, commits, high, medium, low, analysed, failed,
    deferred, rendered_at)
SELECT '', DATE '1970-01-01', '', '', '', '', 0, 0, 0, 0, 0, 0, 0, 'epoch' WHERE NOT EXISTS (FROM reports);
INSERT INTO rollups (kind, period, language, first_day, last_day, path, revision, inputs, markdown, repos, commits,
    high, medium, low, missing, incomplete, rendered_at)
SELECT '', '', '', DATE '1970-01-01', DATE '1970-01-01', '', '', '', '', 0, 0, 0, 0, 0, 0, 0, 'epoch' WHERE NOT EXISTS
    (FROM rollups);
