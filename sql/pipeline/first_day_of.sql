-- From which day on has the history not more than its newest $commits commits?  The newest day at least; where it has fewer,
-- any day before the first will do.
SELECT CASE WHEN bool_and(commits <= $commits) THEN DATE '0001-01-01'
    ELSE coalesce(min(day) FILTER (commits <= $commits), max(day)) END AS first_day
FROM (
    SELECT day, sum(sum(commit_count)) OVER (ORDER BY day DESC) AS commits
    FROM reads WHERE head_sha IS NOT NULL
    GROUP BY day
);
