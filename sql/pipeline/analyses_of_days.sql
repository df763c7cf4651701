-- What was said of the commits that the branch has on a repo's days, in one language.  $repo, $first, $last, $language
SELECT analyses.*
FROM analyses
SEMI JOIN (
    FROM commit_log
    WHERE repo = $repo AND day BETWEEN $first AND $last AND on_branch IS DISTINCT FROM false
) AS log USING (repo, day, sha)
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language
ORDER BY day, sha;
