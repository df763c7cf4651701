-- What a model composed for each of a repo's days.  $repo, $first, $last, $language
FROM headlines
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
ORDER BY day;
