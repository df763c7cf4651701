-- Of commit_log what counts: the branch has it, and no filter of the settings left it out.
CREATE OR REPLACE VIEW branch_log AS
SELECT * EXCLUDE (on_branch, filtered), regexp_extract(message, '\S(?:[^\n]*\S)?') AS title
FROM commit_log
WHERE on_branch IS DISTINCT FROM false AND filtered IS NULL;
