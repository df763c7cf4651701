-- Who is new?
-- $since day = 30d: whose first commit is of this day or later
-- $repo pattern = %: only repositories like this
-- By name and repository. On the first day of a history everybody would be new, so that nobody is; days_before says how
-- many days it holds in which somebody was not seen yet.
WITH firsts AS (
    SELECT repo, author_name, min(day) AS first_day, count(*) AS commits,
        arg_min(sha, (day, -position)) AS sha, arg_min(title, (day, -position)) AS first_title
    FROM branch_log WHERE repo LIKE $repo
    GROUP BY repo, author_name
),
began AS (
    SELECT repo, min(day) AS day FROM reads WHERE head_sha IS NOT NULL GROUP BY repo
)
SELECT firsts.first_day, firsts.repo, firsts.author_name, firsts.commits, left(firsts.sha, 7) AS first_sha, firsts.first_title,
    firsts.first_day - began.day AS days_before
FROM firsts JOIN began USING (repo)
WHERE firsts.first_day >= $since::DATE AND firsts.first_day > began.day
ORDER BY firsts.first_day DESC, firsts.repo, firsts.author_name;
