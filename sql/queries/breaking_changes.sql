-- What breaks or is deprecated since a day?
-- $since day = 30d: commits from this day on
-- $repo pattern = %: only repositories like this
-- Lines that say so, of the message first, then of the analysis; not those that deny it, trailers, and boxes of a form.
WITH texts AS (
    SELECT repo, day, sha, 0 AS place, message AS text FROM branch_log WHERE day >= $since::DATE AND repo LIKE $repo
    UNION ALL
    SELECT repo, day, sha, 1, analysis::VARCHAR FROM analyses
    WHERE status = 'ok' AND day >= $since::DATE AND repo LIKE $repo
),
parts AS (
    SELECT repo, day, sha, place, CASE place
        WHEN 0 THEN string_split(text, chr(10))
        ELSE flatten(list_transform(
            ['summary', 'architecture', 'risks', 'advice'], lambda key: coalesce((text::JSON -> key)::VARCHAR[], [])
        ))
    END AS lines
    FROM texts
    WHERE regexp_matches(text, '(?i)!:|breaking|deprecat|no longer (?:supported|available)|incompatib|public names are gone|不再有这些公开名称|破坏性|不兼容|不再支持|弃用|废弃')
),
lines AS (
    SELECT repo, day, sha, place, unnest(lines) AS said, generate_subscripts(lines, 1) AS number FROM parts
),
telling AS (
    SELECT repo, day, sha, 100000 * place + number AS place, ltrim(trim(said), '-*+ ') AS line
    FROM lines
    WHERE NOT regexp_matches(trim(said), '(?i)^(?:signed-off-by|co-authored-by|reviewed-by|acked-by|tested-by|cc|change-id)\b.*:|^\(cherry picked from commit |^(?:[-*+]\s*)?\[[ x]?\]\s')
        AND regexp_matches(
            -- What a line denies, it does not tell of.
            regexp_replace(ltrim(trim(said), '-*+ '), '(?i)\b(?:no|not|non|without|never|isn''t|aren''t|any|zero)\b[\s-]+(?:\w+[\s-]+){0,3}(?:breaking|deprecat\w*|incompatib\w*)\b|(?:无|没有|未|不(?:会|涉及|含|引入|影响|改变|构成|存在))[^，。；,;]{0,8}(?:破坏性|不兼容|弃用|废弃)', '', 'g'),
            '^[a-z]+(?:\([^)]*\))?!:|\bBREAKING\b|(?i:\bbreaking[ -]changes?\b|\bdeprecat|\bno longer (?:supported|available)|\bincompatib|\bpublic names are gone\b)|不再有这些公开名称|破坏性|不兼容|不再支持|弃用|废弃'
        )
),
gathered AS (
    SELECT repo, day, sha, list(line ORDER BY place) AS lines
    FROM (SELECT repo, day, sha, left(line, 240) AS line, min(place) AS place FROM telling GROUP BY ALL)
    GROUP BY repo, day, sha
),
rated AS (
    SELECT repo, day, sha, arg_max(tier, analysed_at) AS tier
    FROM analyses SEMI JOIN gathered USING (repo, day, sha)
    GROUP BY repo, day, sha
)
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, rated.tier, commits.author_name, commits.title,
    gathered.lines
FROM gathered JOIN branch_log AS commits USING (repo, day, sha) LEFT JOIN rated USING (repo, day, sha)
ORDER BY commits.day DESC, commits.repo, commits.position;
