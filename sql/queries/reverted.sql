-- What was taken back, by whom, and after how many days?
-- $since day = 200k: reverts from this day on
-- $repo pattern = %: only repositories like this
-- A revert whose original the history does not hold stands with empty columns.
SELECT day, repo, left(sha, 7) AS sha, author_name, title,
    reverted_day, left(reverted_sha, 7) AS reverted_sha, reverted_author, reverted_title, days_between
FROM reverts_since($since::DATE)
WHERE repo LIKE $repo
ORDER BY day DESC, repo, position, reverted_day;
