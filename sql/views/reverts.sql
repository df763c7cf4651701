-- What was taken back: a row for each commit that reverts and each commit that it names by sha, pull request or title; what the history does not hold is null.
-- reverts_since(day) gives the reverts of that day and later: only their messages are searched.
CREATE OR REPLACE MACRO reverts_since(first) AS TABLE (
WITH claims AS MATERIALIZED (
    FROM revert_claims WHERE day >= first
),
-- The commits that may be meant: of most a few numbers are looked at, and no title is cut out.
among AS (
    SELECT repo, day, position, sha, message, author_name, pull_request
    FROM branch_log
    WHERE hash(repo, left(sha, 7)) IN (SELECT hash(repo, left(back_sha, 7)) FROM claims WHERE back_sha <> '')
        OR hash(repo, pull_request) IN (SELECT hash(repo, back_number) FROM claims WHERE back_number IS NOT NULL)
        OR hash(repo, rtrim(left(split_part(ltrim(message, E' \t\n\f\r'), E'\n', 1), 12), E' \t\f\r'))
            IN (SELECT hash(repo, rtrim(left(back_title, 12), E' \t\f\r')) FROM claims WHERE back_title <> '')
),
-- Each commit by the names that it may be called by.
called AS (
    SELECT repo, day, position, sha, title, author_name,
        -- A title by how it begins: the rest is looked at where that is the same.
        unnest([left(sha, 7), '#' || pull_request, '"' || left(title, 12)]) AS name
    FROM (SELECT *, regexp_extract(message, '\S(?:[^\n]*\S)?') AS title FROM among)
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
    OR (one.repo, one.sha) IN (SELECT (repo, sha) FROM claims WHERE back_sha <> '')
);

CREATE OR REPLACE VIEW reverts AS
FROM reverts_since(DATE '0001-01-01');
