-- What did somebody commit?
-- $author text: a part of a name or an address, in any case
-- $since day = oldest: commits from this day on
-- $repo pattern = %: only repositories like this
-- $limit number = 100: how many rows
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, commits.author_name, analyses.tier, commits.title,
    commits.additions, commits.deletions, commits.files
FROM current_commits AS commits LEFT JOIN current_analyses AS analyses USING (repo, day, sha)
WHERE commits.day >= $since::DATE AND commits.repo LIKE $repo
    AND (contains(lower(commits.author_name), lower($author)) OR contains(lower(commits.author_email), lower($author)))
ORDER BY commits.day DESC, commits.repo, commits.position
LIMIT $limit::INTEGER;
