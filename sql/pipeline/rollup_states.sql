-- For each week and month with anything read from $first on: what its rollup should be made from (the pages of its days, and
-- of the period before), what it was made from and when, which days of which repos have a page, and how many have one in
-- another language alone.  $first, $last, $language
WITH pages AS (
    SELECT reads.day, reads.repo, reads.error, mine.revision, others.repo IS NOT NULL AND mine.repo IS NULL AS is_foreign
    FROM reads
    LEFT JOIN (SELECT repo, day, revision FROM reports WHERE language = $language) AS mine USING (repo, day)
    LEFT JOIN (SELECT DISTINCT repo, day FROM reports WHERE language <> $language) AS others USING (repo, day)
    WHERE reads.day BETWEEN $first AND $last
),
periods AS (
    SELECT DISTINCT 'weekly' AS kind, date_trunc('week', day)::DATE AS first, first + 6 AS last, first - 7 AS before FROM pages
    UNION ALL
    SELECT DISTINCT 'monthly', date_trunc('month', day)::DATE AS first, last_day(day), (first - INTERVAL 1 MONTH)::DATE FROM pages
),
states AS (
    SELECT kind, periods.first, periods.last,
        md5(string_agg(concat_ws(chr(9), day, repo, coalesce(revision, '-'), coalesce(error, '-')), chr(10) ORDER BY day, repo)) AS inputs,
        list({'repo': repo, 'day': day} ORDER BY day, repo) FILTER (revision IS NOT NULL AND day >= periods.first) AS done,
        count(*) FILTER (is_foreign AND day >= periods.first) AS elsewhere
    FROM periods JOIN pages ON pages.day BETWEEN periods.before AND periods.last
    GROUP BY kind, periods.first, periods.last
)
SELECT states.* REPLACE (coalesce(done, []) AS done), rollups.inputs AS made_from, rollups.rendered_at AS made_at, rollups.revision
FROM states
LEFT JOIN (FROM rollups WHERE language = $language) AS rollups ON rollups.kind = states.kind AND rollups.first_day = states.first
ORDER BY states.kind DESC, states.first;
