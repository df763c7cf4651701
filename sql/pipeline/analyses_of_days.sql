-- What was said of the commits that a repo's days show, in one language.  $repo, $first, $last, $language
SELECT analyses.*
FROM analyses
SEMI JOIN (
    FROM commit_log
    WHERE repo = $repo AND day BETWEEN $first AND $last AND on_branch IS DISTINCT FROM false AND filtered IS NULL
) AS log USING (repo, day, sha)
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
ORDER BY day, sha;
