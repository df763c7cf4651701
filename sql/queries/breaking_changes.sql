-- What breaks or is deprecated since a day?
-- $since day = 30d: commits from this day on
-- $repo pattern = %: only repositories like this
-- Lines that say so, of the message first, then of the analysis; not those that deny it, trailers, and boxes of a form.
WITH said AS (
    SELECT repo, day, sha, flatten(list(flatten(list_transform(
        ['summary', 'architecture', 'risks', 'advice'], lambda key: coalesce((analysis -> key)::VARCHAR[], [])
    )))) AS lines
    FROM analyses
    WHERE status = 'ok' AND day >= $since::DATE AND repo LIKE $repo
        AND regexp_matches(analysis::VARCHAR, '(?i)!:|breaking|deprecat|no longer (?:supported|available)|incompatib|public names are gone|不再有这些公开名称|破坏性|不兼容|不再支持|弃用|废弃')
    GROUP BY repo, day, sha
),
texts AS (
    SELECT repo, day, sha, position, author_name, title, said.lines AS said_lines,
        CASE WHEN regexp_matches(message, '(?i)!:|breaking|deprecat|no longer (?:supported|available)|incompatib|public names are gone|不再有这些公开名称|破坏性|不兼容|不再支持|弃用|废弃') THEN string_split(message, chr(10)) ELSE [] END AS message_lines
    FROM branch_log LEFT JOIN said USING (repo, day, sha)
    WHERE day >= $since::DATE AND repo LIKE $repo
),
parts AS (
    SELECT repo, day, position, sha, author_name, title, list_concat(message_lines, said_lines) AS lines
    FROM texts
    WHERE len(message_lines) > 0 OR said_lines IS NOT NULL
),
lines AS (
    SELECT * EXCLUDE (lines), unnest(lines) AS said, generate_subscripts(lines, 1) AS place FROM parts
),
telling AS (
    SELECT * EXCLUDE (said), ltrim(trim(said), '-*+ ') AS line
    FROM lines
    WHERE NOT regexp_matches(trim(said), '(?i)^(?:signed-off-by|co-authored-by|reviewed-by|acked-by|tested-by|cc|change-id)\b.*:|^\(cherry picked from commit |^(?:[-*+]\s*)?\[[ x]?\]\s')
        AND regexp_matches(
            -- What a line denies, it does not tell of.
            regexp_replace(ltrim(trim(said), '-*+ '), '(?i)\b(?:no|not|non|without|never|isn''t|aren''t|any|zero)\b[\s-]+(?:\w+[\s-]+){0,3}(?:breaking|deprecat\w*|incompatib\w*)\b|(?:无|没有|未|不(?:会|涉及|含|引入|影响|改变|构成|存在))[^，。；,;]{0,8}(?:破坏性|不兼容|弃用|废弃)', '', 'g'),
            '^[a-z]+(?:\([^)]*\))?!:|\bBREAKING\b|(?i:\bbreaking[ -]changes?\b|\bdeprecat|\bno longer (?:supported|available)|\bincompatib|\bpublic names are gone\b)|不再有这些公开名称|破坏性|不兼容|不再支持|弃用|废弃'
        )
),
gathered AS (
    SELECT repo, day, position, sha, author_name, title, list(line ORDER BY place) AS lines
    FROM (SELECT * EXCLUDE (line, place), left(line, 240) AS line, min(place) AS place FROM telling GROUP BY ALL)
    GROUP BY repo, day, position, sha, author_name, title
),
rated AS (
    SELECT repo, day, sha, arg_max(tier, analysed_at) AS tier
    FROM analyses SEMI JOIN gathered USING (repo, day, sha)
    GROUP BY repo, day, sha
)
SELECT day, repo, left(sha, 7) AS sha, tier, author_name, title, lines
FROM gathered LEFT JOIN rated USING (repo, day, sha)
ORDER BY day DESC, repo, position;
