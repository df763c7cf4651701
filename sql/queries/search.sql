-- Which commits speak of these words, in title, path, message or analysis?
-- $words words: up to six, all of which have to be there, in any order and also inside of longer words; Chinese or English, in any case
-- $repo pattern = %: only repositories like this
-- $since day = 200k: no commits before this day
-- $limit number = 50: how many rows
-- Title comes before path, path before message and analysis; then the newest first.
WITH texts AS (
    SELECT repo, day, sha, true AS is_path, path AS text
    FROM commit_files WHERE day >= $since::DATE AND repo LIKE $repo
    UNION ALL
    -- In every language. The JSON is searched as it stands, unless a word may be one of its keys, its signs, or is escaped.
    SELECT repo, day, sha, false,
        CASE
            WHEN regexp_matches($words, '["\\]|(?:^| )[\[\]{},:]+(?: |$)') THEN array_to_string(list_concat(
                [analysis ->> '$.change_type'],
                flatten(list_transform(
                    ['summary', 'scope', 'architecture', 'performance', 'security', 'risks', 'advice'],
                    lambda key: coalesce((analysis -> key)::VARCHAR[], [])
                ))
            ), chr(10))
            WHEN len(list_filter(
                string_split(lower($words), ' '),
                lambda word: contains('change_type summary scope architecture performance security risks advice', word)
            )) > 0 THEN regexp_replace(
                analysis::VARCHAR,
                '"(?:change_type|summary|scope|architecture|performance|security|risks|advice)":', '', 'g'
            )
            ELSE analysis::VARCHAR
        END
    FROM analyses WHERE status = 'ok' AND day >= $since::DATE AND repo LIKE $repo
),
-- Bit by bit, which of the words a text holds: each pattern is a constant, and so compiled once.
held AS (
    SELECT repo, day, sha, is_path,
        coalesce(regexp_matches(text, '(?i)' || regexp_escape(string_split($words, ' ')[1]))::INTEGER, 0)
        + coalesce(regexp_matches(text, '(?i)' || regexp_escape(string_split($words, ' ')[2]))::INTEGER * 2, 0)
        + coalesce(regexp_matches(text, '(?i)' || regexp_escape(string_split($words, ' ')[3]))::INTEGER * 4, 0)
        + coalesce(regexp_matches(text, '(?i)' || regexp_escape(string_split($words, ' ')[4]))::INTEGER * 8, 0)
        + coalesce(regexp_matches(text, '(?i)' || regexp_escape(string_split($words, ' ')[5]))::INTEGER * 16, 0)
        + coalesce(regexp_matches(text, '(?i)' || regexp_escape(string_split($words, ' ')[6]))::INTEGER * 32, 0) AS words
    FROM texts
),
elsewhere AS (
    SELECT repo, day, sha,
        bit_or(words) AS words,
        coalesce(bit_or(words) FILTER (is_path), 0) AS in_path,
        bool_or(NOT is_path) AS is_in_analysis
    FROM held
    WHERE words > 0
    GROUP BY repo, day, sha
),
messages AS (
    SELECT repo, day, sha, position, author_name, message,
        coalesce(regexp_matches(message, '(?i)' || regexp_escape(string_split($words, ' ')[1]))::INTEGER, 0)
        + coalesce(regexp_matches(message, '(?i)' || regexp_escape(string_split($words, ' ')[2]))::INTEGER * 2, 0)
        + coalesce(regexp_matches(message, '(?i)' || regexp_escape(string_split($words, ' ')[3]))::INTEGER * 4, 0)
        + coalesce(regexp_matches(message, '(?i)' || regexp_escape(string_split($words, ' ')[4]))::INTEGER * 8, 0)
        + coalesce(regexp_matches(message, '(?i)' || regexp_escape(string_split($words, ' ')[5]))::INTEGER * 16, 0)
        + coalesce(regexp_matches(message, '(?i)' || regexp_escape(string_split($words, ' ')[6]))::INTEGER * 32, 0) AS words
    FROM branch_log WHERE day >= $since::DATE AND repo LIKE $repo
),
found AS (
    -- As in the views, for these alone.
    SELECT repo, day, sha, position, author_name, regexp_extract(message, '\S(?:[^\n]*\S)?') AS title, messages.words AS in_message,
        coalesce(in_path, 0) AS in_path, coalesce(is_in_analysis, false) AS is_in_analysis
    FROM messages LEFT JOIN elsewhere USING (repo, day, sha)
    WHERE messages.words | coalesce(elsewhere.words, 0) = (1 << len(string_split($words, ' ')[:6])) - 1
),
ranked AS (
    SELECT *,
        coalesce(regexp_matches(title, '(?i)' || regexp_escape(string_split($words, ' ')[1]))::INTEGER, 0)
        + coalesce(regexp_matches(title, '(?i)' || regexp_escape(string_split($words, ' ')[2]))::INTEGER * 2, 0)
        + coalesce(regexp_matches(title, '(?i)' || regexp_escape(string_split($words, ' ')[3]))::INTEGER * 4, 0)
        + coalesce(regexp_matches(title, '(?i)' || regexp_escape(string_split($words, ' ')[4]))::INTEGER * 8, 0)
        + coalesce(regexp_matches(title, '(?i)' || regexp_escape(string_split($words, ' ')[5]))::INTEGER * 16, 0)
        + coalesce(regexp_matches(title, '(?i)' || regexp_escape(string_split($words, ' ')[6]))::INTEGER * 32, 0) AS in_title
    FROM found
),
best AS (
    FROM ranked
    ORDER BY bit_count(in_title) DESC, bit_count(in_title | in_path) DESC, day DESC, position, repo
    LIMIT $limit::INTEGER
),
rated AS (
    SELECT repo, day, sha, arg_max(tier, analysed_at) AS tier
    FROM analyses SEMI JOIN best USING (repo, day, sha)
    GROUP BY repo, day, sha
)
SELECT day, repo, left(sha, 7) AS sha, rated.tier, author_name, title,
    concat_ws(', ',
        CASE WHEN in_title > 0 THEN 'title' END,
        CASE WHEN in_path > 0 THEN 'path' END,
        CASE WHEN in_message > in_title THEN 'message' END,
        CASE WHEN is_in_analysis THEN 'analysis' END
    ) AS found_in
FROM best LEFT JOIN rated USING (repo, day, sha)
ORDER BY bit_count(in_title) DESC, bit_count(in_title | in_path) DESC, day DESC, position, repo;
