-- Which days are incomplete, and what do they lack?
-- $since day = oldest: from this day on
-- $repo pattern = %: only repositories like this
-- Days that were never asked for are not in the history: `digest status` names them.
WITH ours AS (
    SELECT repo, day, sha FROM branch_log WHERE day >= $since::DATE AND repo LIKE $repo
),
said AS (
    SELECT repo, day, count(*) AS asked,
        count(*) FILTER (NOT is_ok AND has_failed) AS failed,
        count(*) FILTER (NOT is_ok AND NOT has_failed) AS deferred
    FROM (
        SELECT repo, day, sha, bool_or(status = 'ok') AS is_ok, bool_or(status = 'failed') AS has_failed
        FROM analyses SEMI JOIN ours USING (repo, day, sha)
        WHERE day >= $since::DATE AND repo LIKE $repo
        GROUP BY repo, day, sha
    )
    GROUP BY repo, day
),
logged AS (
    SELECT repo, day, count(*) AS commits FROM branch_log WHERE day >= $since::DATE AND repo LIKE $repo GROUP BY repo, day
),
cut AS (
    SELECT repo, day, sum(unread_files) AS unread_files, count(*) FILTER (NOT complete) AS cut_commits
    FROM commit_sizes SEMI JOIN ours USING (repo, day, sha)
    WHERE day >= $since::DATE AND repo LIKE $repo AND (unread_files > 0 OR NOT complete)
    GROUP BY repo, day
),
paged AS (
    SELECT DISTINCT repo, day FROM reports WHERE day >= $since::DATE
),
days AS (
    SELECT reads.repo, reads.day, reads.error, reads.head_sha IS NULL AS is_unread,
        paged.repo IS NULL AS has_no_page,
        coalesce(said.failed, 0) AS failed, coalesce(said.deferred, 0) AS deferred,
        coalesce(logged.commits, 0) - coalesce(said.asked, 0) AS not_asked,
        coalesce(cut.unread_files, 0) AS unread_files, coalesce(cut.cut_commits, 0) AS cut_commits
    FROM reads LEFT JOIN said USING (repo, day) LEFT JOIN logged USING (repo, day) LEFT JOIN cut USING (repo, day)
        LEFT JOIN paged USING (repo, day)
    WHERE reads.day >= $since::DATE AND reads.repo LIKE $repo
)
SELECT day, repo,
    concat_ws(', ',
        CASE WHEN is_unread THEN 'never read' WHEN error IS NOT NULL THEN 'last try failed' END,
        CASE WHEN has_no_page THEN 'no page' END,
        CASE WHEN failed > 0 THEN failed || ' failed' END,
        CASE WHEN deferred > 0 THEN deferred || ' deferred' END,
        CASE WHEN not_asked > 0 THEN not_asked || ' not asked' END,
        CASE WHEN unread_files > 0 THEN unread_files || ' files unread' END,
        CASE WHEN cut_commits > 0 THEN cut_commits || ' commits cut' END
    ) AS lacks,
    failed, deferred, not_asked, unread_files, error
FROM days
WHERE error IS NOT NULL OR is_unread OR has_no_page OR failed + deferred + not_asked + unread_files + cut_commits > 0
ORDER BY day DESC, repo;
