-- Why did a commit get its tier: every rule, with its points?
-- $sha sha: the commit, by at least four digits of its hash
SELECT day, repo, left(sha, 7) AS sha, tier, score, reason.rule, reason.points, reason.evidence
FROM (
    SELECT *, unnest(reasons) AS reason
    FROM (
        -- As current_analyses, for this commit alone.
        SELECT * FROM analyses
        SEMI JOIN (SELECT repo, day, sha FROM branch_log WHERE starts_with(sha, lower($sha))) AS ours USING (repo, day, sha)
        WHERE starts_with(sha, lower($sha))
        QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) = 1
    )
)
ORDER BY repo, day, reason.points DESC, reason.rule;
