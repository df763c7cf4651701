-- Which commits' hashes begin so?  $sha
SELECT DISTINCT sha FROM commit_log WHERE starts_with(sha, $sha) ORDER BY sha LIMIT 3;
