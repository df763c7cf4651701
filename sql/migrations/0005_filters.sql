-- What was left out of the pages and why, what is told in one line, and what its page says of a pull request.

-- The rule that left a commit out: paths, authors, labels, merges, bots or duplicate; null for one that is shown.
ALTER TABLE commit_log ADD COLUMN filtered VARCHAR;

-- Why a commit is told in one line: bot or reformat; null for one that is told in full.
ALTER TABLE commit_log ADD COLUMN folded VARCHAR;

-- A branch that has the commit where the tracked one had it not; null for one of the tracked branch.
ALTER TABLE commit_log ADD COLUMN branch VARCHAR;

-- One row for each number that a title names and that was asked about; title is empty for one of no pull request.
CREATE TABLE pull_requests (
    repo VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    title VARCHAR NOT NULL,
    labels VARCHAR[] NOT NULL,
    body VARCHAR NOT NULL,
    read_at TIMESTAMPTZ NOT NULL
);
