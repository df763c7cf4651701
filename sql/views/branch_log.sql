-- Of commit_log what counts: the branch has it, and no filter of the settings left it out. Older histories lack the two columns that are added here.
CREATE OR REPLACE VIEW branch_log AS
SELECT * EXCLUDE (on_branch, filtered), regexp_extract(message, '\S(?:[^\n]*\S)?') AS title
FROM (
    FROM commit_log
    UNION ALL BY NAME
    SELECT NULL::VARCHAR AS filtered, NULL::VARCHAR AS folded WHERE false
)
WHERE on_branch IS DISTINCT FROM false AND filtered IS NULL;
