-- What the commits of a table or CTE say that they take back, as revert_claims has it: log is its name; it has the columns of branch_log.
CREATE OR REPLACE MACRO claims_of(log) AS TABLE (
WITH saying AS (
    SELECT repo, day, position, sha, regexp_extract(message, '\S(?:[^\n]*\S)?') AS title, author_name, pull_request, message,
        -- git writes "This reverts commit …", GitHub "Reverts owner/name#12"; people write "revert #12" and "revert: …".
        list_distinct(regexp_extract_all(lower(message), '\breverts commit ([0-9a-f]{7,40})\b', 1)) AS shas
    FROM query_table(log)
    -- The rarer letter first: to look for an e stops at every other word.
    WHERE (contains(message, 'vert') AND contains(message, 'evert')) OR (contains(message, 'VERT') AND contains(message, 'EVERT'))
),
named AS (
    SELECT repo, day, position, sha, title, author_name, shas,
        regexp_replace(regexp_extract(title, '(?i)^revert:? "(.+)"', 1), ' \(#\d+\)$', '') AS quoted,
        list_filter(list_distinct(list_concat(
            regexp_extract_all(message, '(?im)^reverts? (?:[\w.-]+/[\w.-]+#|https://[^\s#]+/pull/|#)(\d{1,9})\b', 1)::INTEGER[],
            CASE WHEN regexp_matches(title, '(?i)\brevert(s|ed|ing)?\b')
                THEN regexp_extract_all(title, '#(\d{1,9})\b', 1)::INTEGER[] END
        )), lambda one: one IS DISTINCT FROM pull_request) AS numbers
    FROM saying
)
SELECT repo, day, position, sha, title, author_name, claim.sha AS back_sha, claim.number AS back_number, claim.title AS back_title
FROM (
    SELECT *, unnest(CASE
        -- A number or title beside a sha is that of the same commit.
        WHEN len(shas) > 0 THEN list_transform(shas, lambda one: {'sha': one, 'number': NULL::INTEGER, 'title': ''})
        ELSE list_concat(
            list_transform(numbers, lambda one: {'sha': '', 'number': one, 'title': ''}),
            CASE WHEN quoted <> '' THEN [{'sha': '', 'number': NULL::INTEGER, 'title': quoted}] END,
            CASE WHEN quoted = '' AND len(numbers) = 0 AND regexp_matches(title, '(?i)^revert\b')
                THEN [{'sha': '', 'number': NULL::INTEGER, 'title': ''}] END
        )
    END) AS claim
    FROM named
)
);
