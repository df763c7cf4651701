-- What is known of a pull request?
-- $number number: its number
-- $repo pattern = %: only repositories like this
-- A row for each commit that came from it. mentioned_in are later commits that name it, reverted_by those that took it back.
WITH ours AS (
    SELECT * FROM current_commits WHERE pull_request = $number::INTEGER AND repo LIKE $repo
),
mentions AS (
    SELECT repo, list(left(sha, 7) || ' ' || title ORDER BY day, position DESC) AS commits
    FROM branch_log
    -- What is cheap comes first: it is looked at before a title is cut out of each message.
    WHERE contains(message, '#' || $number) AND regexp_matches(message, '#' || $number || '\b') AND pull_request IS DISTINCT FROM $number::INTEGER
    GROUP BY repo
),
said AS (
    SELECT analyses.* FROM analyses SEMI JOIN ours USING (repo, day, sha)
    QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) = 1
)
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, commits.author_name, commits.title, analyses.tier,
    analyses.score, analyses.status, commits.additions, commits.deletions, commits.files,
    analyses.analysis ->> '$.summary' AS summary,
    commits.authored_at, commits.committed_at, commits.message, analyses.analysis, analyses.model,
    (
        SELECT sum(cost) FROM attempts
        WHERE attempts.repo = commits.repo AND attempts.day = commits.day AND attempts.sha = commits.sha
    ) AS cost,
    coalesce((
        SELECT list(path ORDER BY position) FROM commit_files AS files
        WHERE files.repo = commits.repo AND files.day = commits.day AND files.sha = commits.sha
    ), []) AS paths,
    coalesce(mentions.commits, []) AS mentioned_in,
    coalesce((
        SELECT list(DISTINCT left(claims.sha, 7) || ' ' || claims.title)
        FROM revert_claims AS claims
        WHERE claims.repo = commits.repo
            AND (claims.day > commits.day OR (claims.day = commits.day AND claims.position < commits.position))
            AND (
                (claims.back_sha <> '' AND starts_with(commits.sha, claims.back_sha))
                OR claims.back_number = commits.pull_request
                OR (claims.back_title <> '' AND regexp_replace(commits.title, ' \(#\d+\)$', '') = claims.back_title)
            )
    ), []) AS reverted_by
FROM ours AS commits LEFT JOIN said AS analyses USING (repo, day, sha) LEFT JOIN mentions USING (repo)
ORDER BY commits.repo, commits.day, commits.position;
