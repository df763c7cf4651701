-- What is new since a day, or since the commit that you have?
-- $since day|sha: the day, itself among what is new; or a commit by its hash, after which the others came
-- $repo pattern = %: only repositories like this; of a commit only its own count
-- $tier tier = low: at least this tier
-- $limit number = 100: how many rows
WITH since AS (
    -- A commit that several repositories have is looked for in each of them.
    SELECT repo, day, position FROM branch_log
    WHERE try_cast($since AS DATE) IS NULL AND starts_with(sha, lower($since))
),
rated AS (
    SELECT repo, day, sha, arg_max(tier, analysed_at) AS tier FROM analyses GROUP BY repo, day, sha
),
newest AS (
    SELECT commits.day, commits.repo, commits.sha, commits.position, commits.author_name, commits.title, rated.tier
    FROM branch_log AS commits
    LEFT JOIN since USING (repo)
    LEFT JOIN rated ON rated.repo = commits.repo AND rated.day = commits.day AND rated.sha = commits.sha
    WHERE commits.repo LIKE $repo
        AND (
            commits.day >= try_cast($since AS DATE)
            OR commits.day > since.day
            OR (commits.day = since.day AND commits.position < since.position)
        )
        AND ($tier = 'low' OR rated.tier = 'high' OR rated.tier = $tier)
    ORDER BY commits.day DESC, commits.repo, commits.position
    LIMIT $limit::INTEGER
),
said AS (
    SELECT repo, day, sha, arg_max(analysis ->> '$.summary[0]', analysed_at) AS summary
    FROM analyses SEMI JOIN newest USING (repo, day, sha)
    WHERE status = 'ok'
    GROUP BY repo, day, sha
)
SELECT day, repo, left(sha, 7) AS sha, tier, author_name, title, summary
FROM newest LEFT JOIN said USING (repo, day, sha)
ORDER BY day DESC, repo, position;
