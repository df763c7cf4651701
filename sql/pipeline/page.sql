-- The page of a repo's day as it was stored last.  $repo, $day, $language
SELECT markdown FROM reports WHERE repo = $repo AND day = $day AND language = $language;
