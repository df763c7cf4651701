-- Which days are incomplete, and what do they lack?
-- $since day = oldest: from this day on
-- $repo pattern = %: only repositories like this
-- Days that were never asked for are not in the history: `digest status` names them.
WITH said AS (
    SELECT repo, day, sha, bool_or(status = 'ok') AS is_ok, bool_or(status = 'failed') AS has_failed
    FROM analyses
    WHERE day >= $since::DATE
    GROUP BY repo, day, sha
),
counts AS (
    SELECT repo, day,
        count(*) FILTER (NOT said.is_ok AND said.has_failed) AS failed,
        count(*) FILTER (NOT said.is_ok AND NOT said.has_failed) AS deferred,
        count(*) FILTER (said.sha IS NULL) AS not_asked,
        sum(unread_files) AS unread_files,
        count(*) FILTER (NOT complete) AS cut_commits
    FROM current_commits LEFT JOIN said USING (repo, day, sha)
    WHERE day >= $since::DATE
    GROUP BY repo, day
),
days AS (
    SELECT reads.repo, reads.day, reads.error, reads.head_sha IS NULL AS is_unread,
        NOT EXISTS (FROM reports WHERE reports.repo = reads.repo AND reports.day = reads.day) AS has_no_page,
        coalesce(counts.failed, 0) AS failed, coalesce(counts.deferred, 0) AS deferred,
        coalesce(counts.not_asked, 0) AS not_asked,
        coalesce(counts.unread_files, 0) AS unread_files, coalesce(counts.cut_commits, 0) AS cut_commits
    FROM reads LEFT JOIN counts USING (repo, day)
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
