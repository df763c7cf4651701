-- The text of a week's or month's rollup.  $kind, $period, $language
SELECT markdown FROM rollups WHERE kind = $kind AND period = $period AND language = $language;
