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
coming AS (
    SELECT repo, day, sha, position FROM branch_log WHERE day >= try_cast($since AS DATE) AND repo LIKE $repo
    UNION ALL
    SELECT repo, commits.day, commits.sha, commits.position
    FROM branch_log AS commits JOIN since USING (repo)
    WHERE commits.day >= (SELECT min(day) FROM since) AND repo LIKE $repo
        AND (commits.day > since.day OR (commits.day = since.day AND commits.position < since.position))
),
newest AS (
    SELECT * FROM coming
    WHERE $tier = 'low' OR (repo, day, sha) IN (
        -- Rated for their tier only where that counts.
        SELECT (repo, day, sha)
        FROM analyses
        WHERE $tier <> 'low' AND day >= (SELECT min(day) FROM coming)
        GROUP BY repo, day, sha
        HAVING arg_max(tier, analysed_at) IN ('high', $tier)
    )
    ORDER BY day DESC, repo, position
    LIMIT $limit::INTEGER
),
logged AS (
    SELECT repo, day, sha, position, author_name, message FROM commit_log SEMI JOIN newest USING (repo, day, sha)
),
said AS (
    SELECT repo, day, sha, arg_max(tier, analysed_at) AS tier,
        arg_max(analysis ->> '$.summary[0]', analysed_at) FILTER (status = 'ok') AS summary
    FROM analyses SEMI JOIN newest USING (repo, day, sha)
    GROUP BY repo, day, sha
)
SELECT day, repo, left(sha, 7) AS sha, tier, author_name, regexp_extract(message, '\S(?:[^\n]*\S)?') AS title, summary
FROM logged LEFT JOIN said USING (repo, day, sha)
ORDER BY day DESC, repo, position;
