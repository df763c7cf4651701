-- For each day with anything read: what its digest should be made from, what it was made from, which repos are done.
-- A day that has pages and a digest in another language alone was made: it is left as it stands.  $first, $last, $language
WITH pages AS (
    SELECT reads.day, reads.repo, reads.error, reads.window_end, reports.revision
    FROM reads
    LEFT JOIN (SELECT repo, day, revision FROM reports WHERE language = $language) AS reports USING (repo, day)
    WHERE reads.day BETWEEN $first AND $last
),
days AS (
    SELECT day, max(window_end) AS window_end,
        md5(string_agg(concat_ws(chr(9), repo, coalesce(revision, '-'), coalesce(error, '-')), chr(10) ORDER BY repo)) AS inputs,
        list(repo ORDER BY repo) FILTER (revision IS NOT NULL) AS done
    FROM pages GROUP BY day
)
SELECT days.day, days.window_end, days.inputs, coalesce(days.done, []) AS done, digests.inputs AS made_from
FROM days LEFT JOIN (
    SELECT day, max(inputs) FILTER (language = $language) AS inputs, bool_or(language <> $language) AS is_in_another
    FROM digests GROUP BY day
) AS digests USING (day)
WHERE days.done IS NOT NULL OR digests.inputs IS NOT NULL OR digests.is_in_another IS NOT TRUE
ORDER BY days.day;
