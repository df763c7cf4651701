-- How well is each repo covered: days, commits, analyses?
WITH out AS (
    SELECT repo, count(*) AS filtered FROM commit_log
    WHERE filtered IS NOT NULL AND on_branch IS DISTINCT FROM false
    GROUP BY repo
),
said AS (
    SELECT repo, count(*) AS analysed FROM current_analyses WHERE status = 'ok' GROUP BY repo
)
SELECT repo,
    count(*) AS days,
    min(day) AS first_day,
    max(day) AS last_day,
    count(*) FILTER (error IS NOT NULL) AS days_in_error,
    sum(commit_count) AS commits,
    coalesce(any_value(filtered), 0) AS filtered,
    coalesce(any_value(analysed), 0) AS analysed
FROM reads LEFT JOIN out USING (repo) LEFT JOIN said USING (repo)
GROUP BY repo
ORDER BY repo;
