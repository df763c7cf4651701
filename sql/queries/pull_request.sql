-- What is known of a pull request?
-- $number number: its number
-- $repo pattern = %: only repositories like this
-- A row for each commit that came from it. mentioned_in are later commits that name it, reverted_by those that took it back.
WITH speaking AS MATERIALIZED (
    -- All messages are read once: for its own commits, those that name it, and those that take something back.
    SELECT repo, day, position, sha, author_name, authored_at, committed_at, message, title, pull_request
    FROM branch_log
    WHERE repo LIKE $repo AND (
        pull_request = $number::INTEGER OR contains(message, '#' || $number)
        OR (contains(message, 'vert') AND contains(message, 'evert')) OR (contains(message, 'VERT') AND contains(message, 'EVERT'))
    )
),
ours AS (
    FROM speaking WHERE pull_request = $number::INTEGER
),
mentions AS (
    SELECT repo, list(left(sha, 7) || ' ' || title ORDER BY day, position DESC) AS mentioned_in
    FROM speaking
    WHERE contains(message, '#' || $number) AND regexp_matches(message, '#' || $number || '\b') AND pull_request IS DISTINCT FROM $number::INTEGER
    GROUP BY repo
),
taken_back AS (
    SELECT ours.repo, ours.day, ours.sha, list(DISTINCT left(claims.sha, 7) || ' ' || claims.title) AS reverted_by
    FROM ours JOIN claims_of('speaking') AS claims
        ON claims.repo = ours.repo
        AND (claims.day > ours.day OR (claims.day = ours.day AND claims.position < ours.position))
        AND (
            (claims.back_sha <> '' AND starts_with(ours.sha, claims.back_sha))
            OR claims.back_number = ours.pull_request
            OR (claims.back_title <> '' AND regexp_replace(ours.title, ' \(#\d+\)$', '') = claims.back_title)
        )
    GROUP BY ours.repo, ours.day, ours.sha
),
sizes AS (
    SELECT repo, day, sha, additions, deletions, files FROM commit_sizes SEMI JOIN ours USING (repo, day, sha)
),
said AS (
    SELECT analyses.* FROM analyses SEMI JOIN ours USING (repo, day, sha)
    QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) = 1
),
spent AS (
    SELECT repo, day, sha, sum(cost) AS cost FROM attempts SEMI JOIN ours USING (repo, day, sha) GROUP BY repo, day, sha
),
changed AS (
    SELECT repo, day, sha, list(path ORDER BY position) AS paths
    FROM commit_files SEMI JOIN ours USING (repo, day, sha)
    GROUP BY repo, day, sha
)
SELECT ours.day, ours.repo, left(ours.sha, 7) AS sha, author_name, title, tier, score, status, additions, deletions, files,
    analysis ->> '$.summary' AS summary,
    authored_at, committed_at, message, analysis, model, cost,
    coalesce(paths, []) AS paths,
    coalesce(mentioned_in, []) AS mentioned_in,
    coalesce(reverted_by, []) AS reverted_by
FROM ours
    LEFT JOIN sizes USING (repo, day, sha)
    LEFT JOIN said USING (repo, day, sha)
    LEFT JOIN spent USING (repo, day, sha)
    LEFT JOIN changed USING (repo, day, sha)
    LEFT JOIN mentions USING (repo)
    LEFT JOIN taken_back USING (repo, day, sha)
ORDER BY ours.repo, ours.day, ours.position;
