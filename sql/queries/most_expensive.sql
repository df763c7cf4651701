-- Which commits cost most to explain: money, tokens, time, calls?
-- $since day = 30d: commits from this day on
-- $repo pattern = %: only repositories like this
-- $limit number = 20: how many rows
WITH spent AS (
    SELECT repo, day, sha, sum(cost) AS cost, sum(tokens_in + tokens_out) AS tokens, sum(seconds) AS seconds, count(*) AS calls,
        count(*) FILTER (outcome = 'failed') AS failed
    FROM attempts
    WHERE sha <> '' AND day >= $since::DATE AND repo LIKE $repo
    GROUP BY repo, day, sha
    ORDER BY sum(cost) DESC NULLS LAST, sum(tokens_in + tokens_out) DESC, repo, day, sha
    LIMIT $limit::INTEGER
)
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, round(spent.cost, 4) AS cost, spent.tokens,
    round(spent.seconds, 1) AS seconds, spent.calls, spent.failed, commits.additions + commits.deletions AS lines, commits.title
FROM spent JOIN commits USING (repo, day, sha)
ORDER BY spent.cost DESC NULLS LAST, spent.tokens DESC, commits.repo, commits.day, spent.sha;
