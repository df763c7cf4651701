-- Which commits of a repo change the same paths as one of a range of days does, some of them beside the tracked branch?
-- `paths` is the same for those of one group: what says the same adds and removes as many lines. A merge is no cherry-pick.  $repo, $first, $last
WITH files AS (
    SELECT day, sha, sum(hash(path, additions, deletions)::HUGEINT) AS paths
    FROM commit_files WHERE repo = $repo
    GROUP BY day, sha
)
SELECT log.day, log.sha, log.branch, log.filtered, log.committed_at, log.author_name, log.author_email, log.authored_at,
    files.paths
FROM commit_log AS log JOIN files USING (day, sha)
WHERE log.repo = $repo AND log.on_branch IS DISTINCT FROM false AND len(log.parents) < 2
WINDOW alike AS (PARTITION BY files.paths)
QUALIFY count(*) OVER alike > 1
    AND bool_or(log.branch IS NOT NULL) OVER alike
    AND bool_or(log.day BETWEEN $first AND $last) OVER alike
ORDER BY log.day, log.sha;
