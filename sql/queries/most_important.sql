-- Which commits scored highest, and why?
-- $since day = 7d: commits from this day on
-- $repo pattern = %: only repositories like this
-- $limit number = 50: how many rows
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, analyses.score, analyses.tier, commits.title,
    list_transform(analyses.reasons, lambda reason: concat(reason.rule, ' ', reason.evidence, ' +', reason.points)) AS reasons
FROM current_analyses AS analyses JOIN branch_log AS commits USING (repo, day, sha)
WHERE commits.day >= $since::DATE AND commits.repo LIKE $repo
ORDER BY analyses.score DESC, commits.day DESC, commits.position, commits.repo
LIMIT $limit::INTEGER;
