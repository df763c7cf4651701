-- Commits with their size; on_branch is false for what the branch had once and has no longer, filtered names the rule that left a commit out. additions, deletions and files are null until the commit's files were read.
CREATE OR REPLACE VIEW commits AS
SELECT
    log.repo,
    log.day,
    log.position,
    log.sha,
    log.parents,
    log.author_name,
    log.author_email,
    log.authored_at,
    log.committer_name,
    log.committer_email,
    log.committed_at,
    log.message,
    regexp_extract(log.message, '\S(?:[^\n]*\S)?') AS title,
    log.pull_request,
    coalesce(log.on_branch, true) AS on_branch,
    log.branch,
    log.filtered,
    log.folded,
    size.additions,
    size.deletions,
    size.files,
    size.unread_files,
    size.complete
FROM commit_log AS log
LEFT JOIN commit_sizes AS size USING (repo, day, sha);
