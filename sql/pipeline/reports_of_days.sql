-- The pages of a repo's days, without their text.  $repo, $first, $last, $language
SELECT * EXCLUDE (markdown) FROM reports
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
ORDER BY day;
