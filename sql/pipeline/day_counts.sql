-- How much was each stored day of a repo, from 30 days before the range on?  $repo, $first, $last
-- Commits that were analysed in any language: those are on the pages. A day that was read and got no further is left out.
WITH log AS (
    SELECT day, sha, additions + deletions AS lines, folded
    FROM commits
    WHERE repo = $repo AND day BETWEEN $first::DATE - 30 AND $last AND on_branch AND filtered IS NULL
),
tiers AS (
    SELECT day, sha, bool_or(tier = 'high') AS is_high
    FROM analyses
    WHERE repo = $repo AND day BETWEEN $first::DATE - 30 AND $last
    GROUP BY day, sha
)
SELECT reads.day,
    count(tiers.sha) AS commits,
    count(*) FILTER (is_high AND folded IS NULL) AS high,
    coalesce(sum(lines) FILTER (tiers.sha IS NOT NULL), 0)::BIGINT AS lines
FROM reads
LEFT JOIN log USING (day)
LEFT JOIN tiers ON tiers.day = log.day AND tiers.sha = log.sha
WHERE reads.repo = $repo AND reads.day BETWEEN $first::DATE - 30 AND $last AND reads.head_sha IS NOT NULL
GROUP BY reads.day
HAVING count(log.sha) = 0 OR count(tiers.sha) > 0
ORDER BY reads.day;
