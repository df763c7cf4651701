-- What did somebody commit?
-- $author text: a part of a name or an address, in any case
-- $since day = oldest: commits from this day on
-- $repo pattern = %: only repositories like this
-- $limit number = 100: how many rows
WITH newest AS (
    SELECT repo, day, sha
    FROM branch_log
    WHERE day >= $since::DATE AND repo LIKE $repo
        AND (contains(lower(author_name), lower($author)) OR contains(lower(author_email), lower($author)))
    ORDER BY day DESC, repo, position
    LIMIT $limit::INTEGER
),
-- What is wide is read of these alone.
logged AS (
    SELECT repo, day, sha, position, author_name, message FROM commit_log SEMI JOIN newest USING (repo, day, sha)
),
sizes AS (
    SELECT repo, day, sha, additions, deletions, files FROM commit_sizes SEMI JOIN newest USING (repo, day, sha)
),
rated AS (
    SELECT repo, day, sha, tier FROM analyses SEMI JOIN newest USING (repo, day, sha)
    QUALIFY row_number() OVER (PARTITION BY repo, day, sha ORDER BY status = 'ok' DESC, analysed_at DESC, language) = 1
)
SELECT day, repo, left(sha, 7) AS sha, author_name, tier, regexp_extract(message, '\S(?:[^\n]*\S)?') AS title, additions, deletions, files
FROM logged LEFT JOIN sizes USING (repo, day, sha) LEFT JOIN rated USING (repo, day, sha)
ORDER BY day DESC, repo, position;
