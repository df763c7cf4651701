-- Was the day read after it was over, with the last attempt a success, and is its page no older than what it says?
-- $repo, $first, $last, $language
SELECT reads.day,
    coalesce(read_at >= window_end AND error IS NULL AND page.commits = commit_count - coalesce(filtered, 0), false) AS passed,
    strftime(read_at, '%Y-%m-%d %H:%M:%S%z') AS read_at,
    strftime(window_end, '%Y-%m-%d %H:%M:%S%z') AS day_ended_at,
    error
FROM reads
LEFT JOIN (SELECT repo, day, commits FROM reports WHERE language = $language) AS page USING (repo, day)
LEFT JOIN (
    SELECT day, count(*) AS filtered FROM commit_log
    WHERE repo = $repo AND day BETWEEN $first AND $last AND on_branch IS DISTINCT FROM false AND filtered IS NOT NULL
    GROUP BY day
) AS left_out USING (day)
WHERE reads.repo = $repo AND reads.day BETWEEN $first AND $last
ORDER BY reads.day;
