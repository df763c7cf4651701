-- What is known of a pull request?  $number
SELECT commits.day, commits.repo, left(commits.sha, 7) AS sha, commits.author_name, commits.title, analyses.tier,
    analyses.score, analyses.status, commits.additions, commits.deletions, commits.files,
    analyses.analysis ->> '$.summary' AS summary
FROM commits LEFT JOIN current_analyses AS analyses USING (repo, day, sha)
WHERE commits.pull_request = $number::INTEGER AND commits.on_branch
ORDER BY commits.day, commits.position;
