-- The digest of a day.  $day, $language
SELECT path, language, markdown, revision FROM digests WHERE day = $day AND language = $language;
