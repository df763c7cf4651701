-- How many commits of a repo's days wait for the next day's budget, and until when.  $repo, $first, $last, $language
SELECT count(*) AS commits, min(retry_at) AS retry_at
FROM analyses SEMI JOIN (FROM commits WHERE on_branch AND filtered IS NULL) AS shown USING (repo, day, sha)
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
    AND status = 'deferred' AND error_class = 'budget';
