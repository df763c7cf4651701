-- What is known of some pull requests of a repo, those too that turned out to be none.  $repo, $numbers
SELECT number, title, labels, body FROM pull_requests
WHERE repo = $repo AND list_contains($numbers::INTEGER[], number)
ORDER BY number;
