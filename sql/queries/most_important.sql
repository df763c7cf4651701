-- Which commits since a day scored highest, and why?  $since
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, analyses.score, analyses.tier, commits.title,
    list_transform(analyses.reasons, lambda reason: concat(reason.rule, ' ', reason.evidence, ' +', reason.points)) AS reasons
FROM current_analyses AS analyses JOIN commits USING (repo, day, sha)
WHERE commits.day >= $since::DATE
ORDER BY analyses.score DESC, commits.day DESC, commits.position
LIMIT 50;
