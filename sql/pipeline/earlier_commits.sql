-- Which commits can those of a repo's days go on from, or take back? From 30 days before on.  $repo, $first, $last
SELECT day, sha, left(title, 300) AS title, pull_request, author_name
FROM commits
WHERE repo = $repo AND day BETWEEN $first::DATE - 30 AND $last AND on_branch AND filtered IS NULL
ORDER BY day DESC, position;
