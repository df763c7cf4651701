-- Who is new?
-- $since day = 30d: whose first commit is of this day or later
-- $repo pattern = %: only repositories like this
-- By name and repository: where git was asked, who has no earlier commit in the repository's whole history; where GitHub's API was, who
-- has none in the stored days. On the first of these nobody is new. days_before says how many of them come before.
WITH began AS (
    SELECT repo, min(day) AS day, list(day) AS days FROM reads WHERE head_sha IS NOT NULL GROUP BY repo
),
arrived AS (
    SELECT firsts.*, len(list_filter(began.days, lambda day: day < firsts.first_day)) AS days_before
    FROM (
        SELECT repo, author_name,
            min(day) FILTER (filtered IS NULL) AS first_day,
            count(*) FILTER (filtered IS NULL) AS commits,
            min(day) FILTER (first_of_author) AS new_day,
            -- What was read before it was asked, or where nobody can tell, may be the first; what comes later says nothing of it.
            min(day) FILTER (first_of_author IS NULL AND filtered IS NULL) AS unsure_day
        FROM commit_log
        WHERE repo LIKE $repo AND on_branch IS DISTINCT FROM false
        GROUP BY repo, author_name
    ) AS firsts JOIN began USING (repo)
    WHERE firsts.first_day >= $since::DATE AND firsts.first_day > began.day
        AND first_day IN (new_day, unsure_day)
),
-- Messages are read of these days alone.
first_commits AS (
    SELECT repo, author_name, arg_max(sha, position) AS sha, arg_max(message, position) AS message
    FROM branch_log SEMI JOIN (SELECT repo, author_name, first_day AS day FROM arrived) AS those USING (repo, author_name, day)
    WHERE day >= $since::DATE AND repo LIKE $repo
    GROUP BY repo, author_name
)
SELECT first_day, repo, author_name, commits, left(sha, 7) AS first_sha, regexp_extract(message, '\S(?:[^\n]*\S)?') AS first_title, days_before
FROM arrived JOIN first_commits USING (repo, author_name)
ORDER BY first_day DESC, repo, author_name;
