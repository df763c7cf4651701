-- At which endpoints each commit was asked about in vain, how often, and when last.  $repo, $first, $last, $language
SELECT day, sha, endpoint, model, tries, last_at
FROM vain_tries
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
ORDER BY day, sha, endpoint, model;
