-- The rollup of a week or month, without its text.  $kind, $period, $language
SELECT * EXCLUDE (markdown) FROM rollups WHERE kind = $kind AND period = $period AND language = $language;
