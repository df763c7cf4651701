-- The state of every repo's day that was ever asked for.  $language
-- A day that has a page in another language alone was made, in that one: what is counted is what stands in its
-- language; the cost is that of all.
WITH page AS (
    FROM reports QUALIFY row_number() OVER (PARTITION BY repo, day ORDER BY language = $language DESC, rendered_at DESC) = 1
),
analysed AS (
    SELECT repo, day, language,
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
    GROUP BY repo, day, language
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
    SELECT repo, day, sum(cost) AS cost FROM attempts GROUP BY repo, day
)
SELECT reads.repo, reads.day, coalesce(page.language, $language) AS language,
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
LEFT JOIN page ON page.repo = reads.repo AND page.day = reads.day
LEFT JOIN analysed ON analysed.repo = reads.repo AND analysed.day = reads.day
    AND analysed.language = coalesce(page.language, $language)
LEFT JOIN left_out ON left_out.repo = reads.repo AND left_out.day = reads.day
LEFT JOIN spent ON spent.repo = reads.repo AND spent.day = reads.day
ORDER BY reads.repo, reads.day;
