-- The commits that do not count: the branch has them no longer, or a filter of the settings left them out. They are few: to leave them out of many costs less than to look each one up.
CREATE OR REPLACE VIEW commits_left_out AS
-- Two scans: each passes over the groups of rows in which its column says nothing.
SELECT repo, day, sha FROM commit_log WHERE on_branch = false
UNION ALL
SELECT repo, day, sha FROM commit_log WHERE filtered IS NOT NULL;
