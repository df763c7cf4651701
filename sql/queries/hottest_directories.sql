-- Which directories changed most since a day?  $since
SELECT repo, regexp_extract(path, '^([^/]+(?:/[^/]+)?)/', 1) AS directory,
    count(DISTINCT sha) AS commits,
    sum(additions) AS additions,
    sum(deletions) AS deletions
FROM commit_files SEMI JOIN (FROM commits WHERE on_branch) AS commits USING (repo, day, sha)
WHERE day >= $since::DATE
GROUP BY repo, directory
ORDER BY sum(additions) + sum(deletions) DESC, repo, directory
LIMIT 30;
