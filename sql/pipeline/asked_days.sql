-- Every repo's day that was asked for. tried_at is the time of its last try where that came to nothing: the day could
-- not be read, or was read and is unfinished, with no page of what was read or commits that nobody was asked about.
-- Of a finished day commits and analysed are what its page counts, else what is stored; seen_at is the time of
-- either. wait_for_endpoint counts commits that an outage keeps from being analysed.  $first, $last, $language
-- A day that has a page in another language alone was made: another language is no reason to pay for all days anew. That it
-- has changed since then is one.
WITH stored AS (
    SELECT log.repo, log.day, count(*) AS commits, count(said.sha) AS asked,
        count(*) FILTER (said.status = 'ok') AS ok,
        count(*) FILTER (said.status = 'deferred' AND said.error_class = 'outage') AS out
    FROM commit_log AS log
    LEFT JOIN (FROM analyses WHERE language = $language AND day BETWEEN $first AND $last) AS said USING (repo, day, sha)
    WHERE log.day BETWEEN $first AND $last AND log.on_branch IS DISTINCT FROM false AND log.filtered IS NULL
    GROUP BY log.repo, log.day
),
pages AS (
    SELECT repo, day,
        max(rendered_at) FILTER (language = $language) AS rendered_at,
        max(commits) FILTER (language = $language) AS commits,
        max(analysed) FILTER (language = $language) AS analysed,
        max(rendered_at) AS rendered_in_any
    FROM reports WHERE day BETWEEN $first AND $last
    GROUP BY repo, day
),
days AS (
    SELECT reads.repo, reads.day, reads.error, reads.failed_at, reads.read_at,
        pages.rendered_at IS NOT NULL AS has_page,
        reads.head_sha IS NOT NULL AND CASE
            WHEN pages.rendered_in_any IS NULL THEN true
            WHEN pages.rendered_at IS NULL THEN coalesce(reads.changed_at > pages.rendered_in_any, false)
            ELSE coalesce(reads.changed_at > pages.rendered_at, false) OR coalesce(stored.asked < stored.commits, false)
        END AS is_unfinished,
        coalesce(stored.commits, 0) AS commits, coalesce(stored.ok, 0) AS ok,
        coalesce(stored.out, 0) AS wait_for_endpoint,
        pages.commits AS page_commits, pages.analysed AS page_analysed, pages.rendered_at
    FROM reads
    LEFT JOIN pages USING (repo, day)
    LEFT JOIN stored USING (repo, day)
    WHERE reads.day BETWEEN $first AND $last
)
SELECT repo, day, has_page, is_unfinished, wait_for_endpoint,
    CASE WHEN error IS NOT NULL THEN failed_at WHEN is_unfinished THEN read_at END AS tried_at,
    CASE WHEN is_unfinished THEN commits ELSE coalesce(page_commits, 0) END AS commits,
    CASE WHEN is_unfinished THEN ok ELSE coalesce(page_analysed, 0) END AS analysed,
    CASE WHEN is_unfinished THEN read_at ELSE rendered_at END AS seen_at
FROM days
ORDER BY day, repo;
