-- What was taken back: a row for each commit that reverts and each commit that it names by sha, pull request or title; what the history does not hold is null.
CREATE OR REPLACE VIEW reverts AS
WITH saying AS MATERIALIZED (
    SELECT repo, day, position, sha, title, author_name, pull_request,
        -- git writes "This reverts commit …", GitHub "Reverts owner/name#12"; people write "revert #12" and "revert: …".
        list_distinct(regexp_extract_all(lower(message), '\breverts commit ([0-9a-f]{7,40})\b', 1)) AS shas,
        list_distinct(list_concat(
            regexp_extract_all(message, '(?im)^reverts? (?:[\w.-]+/[\w.-]+#|https://[^\s#]+/pull/|#)(\d{1,9})\b', 1),
            CASE WHEN regexp_matches(title, '(?i)\brevert(s|ed|ing)?\b') THEN regexp_extract_all(title, '#(\d{1,9})\b', 1) END
        )) AS numbers,
        regexp_replace(regexp_extract(title, '(?i)^revert:? "(.+)"', 1), ' \(#\d+\)$', '') AS quoted,
        regexp_matches(title, '(?i)^revert\b') AS is_named_so
    FROM branch_log
    WHERE regexp_matches(message, '(?i)revert')
),
claims AS (
    SELECT *, unnest(CASE
        -- A number or title beside a sha is that of the same commit.
        WHEN len(shas) > 0 THEN list_transform(shas, lambda one: {'sha': one, 'number': NULL::INTEGER, 'title': ''})
        ELSE list_append(
            list_transform(
                list_filter(numbers, lambda one: one::INTEGER IS DISTINCT FROM pull_request),
                lambda one: {'sha': '', 'number': one::INTEGER, 'title': ''}
            ),
            {'sha': '', 'number': NULL::INTEGER, 'title': quoted}
        )
    END) AS named
    FROM saying
),
-- Each commit by the names that it may be called by.
called AS (
    SELECT repo, day, position, sha, title, author_name,
        -- A title by how it begins: the rest is looked at where that is the same.
        unnest([left(sha, 7), '#' || pull_request, '"' || left(title, 12)]) AS name
    FROM branch_log
),
found AS (
    SELECT claims.repo, claims.sha, back.sha AS back_sha, back.day AS back_day, back.title AS back_title,
        back.author_name AS back_author
    FROM claims JOIN called AS back
        ON back.repo = claims.repo
        AND back.name = CASE
            WHEN claims.named.sha <> '' THEN left(claims.named.sha, 7)
            WHEN claims.named.number IS NOT NULL THEN '#' || claims.named.number
            WHEN claims.named.title <> '' THEN '"' || left(claims.named.title, 12)
        END
        AND (claims.named.title = '' OR regexp_replace(back.title, ' \(#\d+\)$', '') = claims.named.title)
        AND starts_with(back.sha, claims.named.sha)
        AND (back.day < claims.day OR (back.day = claims.day AND back.position > claims.position))
    -- Of several with one name the newest is meant: what came again after it was taken back.
    QUALIFY row_number() OVER (PARTITION BY claims.repo, claims.sha, claims.named ORDER BY back.day DESC, back.position) = 1
)
SELECT saying.repo, saying.day, saying.sha, saying.title, saying.author_name, saying.position,
    found.back_day AS reverted_day, found.back_sha AS reverted_sha, found.back_title AS reverted_title,
    found.back_author AS reverted_author, saying.day - found.back_day AS days_between
FROM saying LEFT JOIN (SELECT DISTINCT * FROM found) AS found USING (repo, sha)
WHERE found.sha IS NOT NULL OR saying.is_named_so OR len(saying.shas) > 0;
