-- How many calls were made about each commit so far.  $repo, $first, $last, $language
SELECT day, sha, max(attempt) AS calls
FROM attempts
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
GROUP BY day, sha
ORDER BY day, sha;
