-- The state of every repo's day that was ever asked for.  $language
WITH analysed AS (
    SELECT repo, day,
        count(*) FILTER (status = 'ok') AS ok,
        count(*) FILTER (status = 'failed') AS failed,
        count(*) FILTER (status = 'deferred') AS deferred,
        list(error_class) FILTER (status = 'failed') AS failed_classes,
        list(error_class) FILTER (status = 'deferred') AS deferred_classes,
        sum(least(shown_lines, changed_lines)) FILTER (status = 'ok') AS shown_lines,
        sum(changed_lines) FILTER (status = 'ok') AS changed_lines
    FROM analyses
    SEMI JOIN (SELECT repo, day, sha FROM commit_log WHERE coalesce(on_branch, true) AND filtered IS NULL) AS there
        USING (repo, day, sha)
    WHERE language = $language
    GROUP BY repo, day
),
left_out AS (
    SELECT log.repo, log.day, count(*) FILTER (filtered IS NOT NULL) AS filtered,
        count(*) FILTER (filtered IS NULL AND pull_request IS NOT NULL AND pulls.number IS NULL) AS labels_unknown
    FROM commit_log AS log
    LEFT JOIN pull_requests AS pulls ON pulls.repo = log.repo AND pulls.number = log.pull_request
    WHERE coalesce(on_branch, true)
    GROUP BY log.repo, log.day
),
spent AS (
    SELECT repo, day, sum(cost) AS cost FROM attempts WHERE language = $language GROUP BY repo, day
)
SELECT reads.repo, reads.day,
    CASE
        WHEN reads.error IS NOT NULL THEN 'failed'
        WHEN page.revision IS NULL THEN 'unfinished'
        ELSE 'made'
    END AS state,
    reads.error,
    reads.commit_count AS commits,
    coalesce(left_out.filtered, 0) AS filtered,
    coalesce(left_out.labels_unknown, 0) AS labels_unknown,
    coalesce(analysed.ok, 0) AS ok,
    coalesce(analysed.failed, 0) AS failed,
    coalesce(analysed.deferred, 0) AS deferred,
    greatest(
        coalesce(reads.commit_count, 0) - coalesce(left_out.filtered, 0)
        - coalesce(analysed.ok, 0) - coalesce(analysed.failed, 0) - coalesce(analysed.deferred, 0), 0
    ) AS not_asked,
    coalesce(analysed.failed_classes, []) AS failed_classes,
    coalesce(analysed.deferred_classes, []) AS deferred_classes,
    analysed.shown_lines / nullif(analysed.changed_lines, 0) AS share_read,
    spent.cost,
    coalesce(page.high, 0) AS high,
    coalesce(page.medium, 0) AS medium,
    coalesce(page.low, 0) AS low,
    page.path AS report
FROM reads
LEFT JOIN (FROM reports WHERE language = $language) AS page USING (repo, day)
LEFT JOIN analysed USING (repo, day)
LEFT JOIN left_out USING (repo, day)
LEFT JOIN spent USING (repo, day)
ORDER BY reads.repo, reads.day;
