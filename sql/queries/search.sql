-- Which commits speak of these words, in title, path, message or analysis?
-- $words words: up to six, all of which have to be there, in any order and also inside of longer words; Chinese or English, in any case
-- $repo pattern = %: only repositories like this
-- $since day = 200k: no commits before this day
-- $limit number = 50: how many rows
-- Title comes before path, path before message and analysis; then the newest first.
WITH elsewhere AS (
    SELECT repo, day, sha,
        arg_max(tier, analysed_at) AS tier,
        bit_or(words) AS words -- from the seventh bit on those of its analyses
    FROM (
        SELECT repo, day, sha, NULL AS tier, NULL AS analysed_at, words_in_lower(path, string_split($words, ' ')) AS words
        FROM (SELECT repo, day, sha, lower(path) AS path FROM commit_files)
        -- Where no day or repository is left out nothing is asked of them: DuckLake would ask for the statistics of every file.
        WHERE ($since = '0001-01-01' OR day >= $since::DATE) AND ($repo = '%' OR repo LIKE $repo) AND words > 0
        UNION ALL
        -- All of them, for their tiers. In every language. The JSON is searched as it stands, unless a word may be one of
        -- its keys, its signs, or is escaped.
        SELECT repo, day, sha, tier, analysed_at, 64 * words_in(
            said, string_split($words, ' '), '',
            -- A key is followed by ": at once, and nothing else is.
            CASE WHEN regexp_matches($words, '["\\]|(?:^| )[\[\]{},:]+(?: |$)') THEN '' ELSE '[A-Za-z_]*(?:[^A-Za-z_"]|"[^:])' END
        )
        FROM (
            -- By itself, and once: what a macro is given stands in it six times, and is bound as often.
            SELECT repo, day, sha, tier, analysed_at, CASE
                WHEN status <> 'ok' THEN NULL
                WHEN regexp_matches($words, '["\\]|(?:^| )[\[\]{},:]+(?: |$)') THEN array_to_string(list_concat(
                    [analysis ->> '$.change_type'],
                    flatten(list_transform(
                        ['summary', 'scope', 'architecture', 'performance', 'security', 'risks', 'advice'],
                        lambda key: coalesce((analysis -> key)::VARCHAR[], [])
                    ))
                ), chr(10))
                ELSE analysis::VARCHAR
            END AS said
            FROM analyses WHERE ($since = '0001-01-01' OR day >= $since::DATE) AND ($repo = '%' OR repo LIKE $repo)
        )
    )
    GROUP BY repo, day, sha
),
messages AS (
    SELECT repo, day, sha, position, author_name, message, words_in(message, string_split($words, ' '), '', '') AS words
    FROM branch_log WHERE ($since = '0001-01-01' OR day >= $since::DATE) AND ($repo = '%' OR repo LIKE $repo)
),
found AS (
    SELECT repo, day, sha, position, author_name, message, tier, messages.words AS in_message,
        coalesce(elsewhere.words, 0) & 63 AS in_path, coalesce(elsewhere.words, 0) >> 6 AS in_analysis
    FROM messages LEFT JOIN elsewhere USING (repo, day, sha)
    WHERE in_message | in_path | in_analysis = (1 << len(string_split($words, ' ')[:6])) - 1
),
ranked AS (
    -- The title is the first line that is not blank.
    SELECT *, CASE WHEN in_message > 0 THEN words_in(message, string_split($words, ' '), '^\s*[^\n]*', '') ELSE 0 END AS in_title
    FROM found
),
best AS (
    FROM ranked
    ORDER BY bit_count(in_title) DESC, bit_count(in_title | in_path) DESC, day DESC, position, repo
    LIMIT $limit::INTEGER
)
-- The title as in the views, for these alone.
SELECT day, repo, left(sha, 7) AS sha, tier, author_name, regexp_extract(message, '\S(?:[^\n]*\S)?') AS title,
    concat_ws(', ',
        CASE WHEN in_title > 0 THEN 'title' END,
        CASE WHEN in_path > 0 THEN 'path' END,
        CASE WHEN in_message > in_title THEN 'message' END,
        CASE WHEN in_analysis > 0 THEN 'analysis' END
    ) AS found_in
FROM best
ORDER BY bit_count(in_title) DESC, bit_count(in_title | in_path) DESC, day DESC, position, repo;
