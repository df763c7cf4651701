-- Every repo's day that was asked for: whether it was read, why not, and all by which its page can become another one.
SELECT reads.repo, reads.day, reads.head_sha IS NOT NULL AS is_read, reads.error,
    concat_ws('|', reads.commit_count, reads.changed_at, reads.came, reads.went, said.facts, made.facts) AS facts,
    coalesce(said.languages, []) AS languages
FROM reads
LEFT JOIN (
    SELECT repo, day, list(language ORDER BY language) AS languages,
        string_agg(concat_ws(':', language, commits, ok, analysed_at), ';' ORDER BY language) AS facts
    FROM (
        SELECT repo, day, language, count(*) AS commits, count(*) FILTER (status = 'ok') AS ok,
            max(analysed_at) AS analysed_at
        FROM analyses GROUP BY ALL
    )
    GROUP BY ALL
) AS said USING (repo, day)
LEFT JOIN (
    SELECT repo, day,
        string_agg(concat_ws(':', language, revision, rendered_at, updated_at), ';' ORDER BY language) AS facts
    FROM reports GROUP BY ALL
) AS made USING (repo, day)
ORDER BY reads.repo, reads.day;
