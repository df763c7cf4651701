-- Which directories changed most?
-- $since day = 30d: commits from this day on
-- $repo pattern = %: only repositories like this
-- $depth number = 2: how many levels of folders make a directory
-- $limit number = 30: how many rows
SELECT repo,
    array_to_string(string_split(path, '/')[:-2][:$depth::INTEGER], '/') AS directory,
    count(DISTINCT sha) AS commits,
    sum(additions) AS additions,
    sum(deletions) AS deletions
FROM current_files
WHERE day >= $since::DATE AND repo LIKE $repo
GROUP BY repo, directory
ORDER BY sum(additions) + sum(deletions) DESC NULLS LAST, repo, directory
LIMIT $limit::INTEGER;
