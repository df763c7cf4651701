-- The digests of a range of days, without their text.  $first, $last, $language
SELECT * EXCLUDE (markdown) FROM digests WHERE day BETWEEN $first AND $last AND language = $language ORDER BY day;
