-- Who was busy?
-- $since day = 30d: commits from this day on
-- $repo pattern = %: only repositories like this
-- $limit number = 30: how many rows
SELECT commits.author_name, count(*) AS commits,
    count(*) FILTER (analyses.tier = 'high') AS high,
    count(DISTINCT commits.repo) AS repos,
    count(DISTINCT commits.day) AS days,
    sum(commits.additions) AS additions,
    sum(commits.deletions) AS deletions,
    max(commits.day) AS last_day
FROM current_commits AS commits LEFT JOIN current_analyses AS analyses USING (repo, day, sha)
WHERE commits.day >= $since::DATE AND commits.repo LIKE $repo
GROUP BY commits.author_name
ORDER BY count(*) DESC, high DESC, commits.author_name
LIMIT $limit::INTEGER;
