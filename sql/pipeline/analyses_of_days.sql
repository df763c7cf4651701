-- What was said of the commits of a repo's days, in one language.  $repo, $first, $last, $language
SELECT * FROM analyses
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
ORDER BY day, sha;
