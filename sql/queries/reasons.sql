-- Why did a commit get its tier: every rule, with its points?
-- $sha sha: the commit, by at least four digits of its hash
SELECT day, repo, left(sha, 7) AS sha, tier, score, reason.rule, reason.points, reason.evidence
FROM (
    SELECT *, unnest(reasons) AS reason FROM current_analyses WHERE starts_with(sha, lower($sha))
)
ORDER BY repo, day, reason.points DESC, reason.rule;
