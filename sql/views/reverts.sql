-- What was taken back: a row for each commit that reverts and each commit that it names by sha, pull request or title; what the history does not hold is null.
CREATE OR REPLACE VIEW reverts AS
WITH claims AS MATERIALIZED (
    FROM revert_claims
),
-- Each commit by the names that it may be called by.
called AS (
    SELECT repo, day, position, sha, title, author_name,
        -- A title by how it begins: the rest is looked at where that is the same.
        unnest([left(sha, 7), '#' || pull_request, '"' || left(title, 12)]) AS name
    FROM branch_log
),
found AS (
    SELECT DISTINCT repo, sha, back.sha AS back_sha, back.day AS back_day, back.title AS back_title, back.author_name AS back_author
    FROM (
        SELECT claims.repo, claims.sha, back
        FROM claims JOIN called AS back
            ON back.repo = claims.repo
            AND back.name = CASE
                WHEN claims.back_sha <> '' THEN left(claims.back_sha, 7)
                WHEN claims.back_number IS NOT NULL THEN '#' || claims.back_number
                WHEN claims.back_title <> '' THEN '"' || left(claims.back_title, 12)
            END
            AND (claims.back_title = '' OR regexp_replace(back.title, ' \(#\d+\)$', '') = claims.back_title)
            AND starts_with(back.sha, claims.back_sha)
            AND (back.day < claims.day OR (back.day = claims.day AND back.position > claims.position))
        -- Of several with one name the newest is meant: what came again after it was taken back.
        QUALIFY row_number() OVER (
            PARTITION BY claims.repo, claims.sha, claims.back_sha, claims.back_number, claims.back_title
            ORDER BY back.day DESC, back.position
        ) = 1
    )
)
SELECT one.*, found.back_day AS reverted_day, found.back_sha AS reverted_sha, found.back_title AS reverted_title,
    found.back_author AS reverted_author, one.day - found.back_day AS days_between
FROM (SELECT DISTINCT repo, day, sha, title, author_name, position FROM claims) AS one LEFT JOIN found USING (repo, sha)
-- A number in a title that says no more than that something is reverted may be an issue's.
WHERE found.sha IS NOT NULL OR regexp_matches(one.title, '(?i)^revert\b')
    OR (one.repo, one.sha) IN (SELECT (repo, sha) FROM claims WHERE back_sha <> '');
