-- The patches of these days are let go: their files stay, with paths and counts.  $first, $last
-- What says that not all of a patch was read goes on saying so, and its empty text that some of it was: no source gives
-- one. The two lines of a submodule name its commits, and stay.
UPDATE commit_files
SET patch = CASE patch_state WHEN 'text' THEN NULL ELSE '' END,
    patch_state = CASE patch_state WHEN 'text' THEN 'expired' ELSE patch_state END
WHERE day BETWEEN $first AND $last AND (patch_state = 'text' OR (patch_state = 'incomplete' AND patch <> ''));
