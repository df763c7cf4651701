-- The patches of these days are let go: their files stay, with paths and counts.  $first, $last
-- What says that not all of a patch was read goes on saying so; the two lines of a submodule name its commits, and stay.
UPDATE commit_files
SET patch = NULL, patch_state = CASE patch_state WHEN 'text' THEN 'expired' ELSE patch_state END
WHERE day BETWEEN $first AND $last AND patch IS NOT NULL AND patch_state IN ('text', 'incomplete');
