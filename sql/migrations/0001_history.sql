-- The history: what was read, what it scored, what was said of it, what was rendered.
-- Every table is keyed by repo and day. DuckLake has no primary keys: uniqueness is checked (see sql/checks/).
-- Day and repo are ordinary columns: files are pruned by their statistics, and upkeep can merge them.

-- One row for each repo and day that was asked for. head_sha is null while the day was never read;
-- error is null while the last attempt to read it succeeded. The two together tell "could not read" from "empty".
CREATE TABLE reads (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    source VARCHAR NOT NULL,
    branch VARCHAR,
    head_sha VARCHAR,
    window_start TIMESTAMPTZ NOT NULL,
    window_end TIMESTAMPTZ NOT NULL,
    timezone VARCHAR NOT NULL,
    commit_count INTEGER,
    read_at TIMESTAMPTZ,
    error VARCHAR,
    failed_at TIMESTAMPTZ
);

-- Commits as the source gives them; position counts from 0, newest first, in the order of the history.
CREATE TABLE commit_log (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    position INTEGER NOT NULL,
    sha VARCHAR NOT NULL,
    parents VARCHAR[] NOT NULL,
    author_name VARCHAR NOT NULL,
    author_email VARCHAR NOT NULL,
    authored_at TIMESTAMPTZ NOT NULL,
    committer_name VARCHAR NOT NULL,
    committer_email VARCHAR NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL,
    message VARCHAR NOT NULL,
    pull_request INTEGER
);

-- One row for each commit whose files were read; complete is false where the source cut the list.
CREATE TABLE commit_sizes (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    sha VARCHAR NOT NULL,
    additions INTEGER NOT NULL,
    deletions INTEGER NOT NULL,
    files INTEGER NOT NULL,
    unread_files INTEGER NOT NULL,
    complete BOOLEAN NOT NULL
);

-- Files against the first parent, renames followed. patch runs from its first @@; patch_state is one of
-- text, binary, submodule, mode, missing, incomplete. additions and deletions are null where nothing was seen.
CREATE TABLE commit_files (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    sha VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    path VARCHAR NOT NULL,
    previous_path VARCHAR,
    status VARCHAR NOT NULL,
    additions INTEGER,
    deletions INTEGER,
    patch VARCHAR,
    patch_state VARCHAR NOT NULL
);

-- One row for each commit and language: its score with the reasons, and what became of asking an analyst.
-- status is ok, failed or deferred; analysis holds the fields of the tier's form as JSON.
CREATE TABLE analyses (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    sha VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    analyst VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    profile VARCHAR NOT NULL,
    tier VARCHAR NOT NULL,
    score INTEGER NOT NULL,
    reasons STRUCT(rule VARCHAR, points INTEGER, evidence VARCHAR)[] NOT NULL,
    status VARCHAR NOT NULL,
    error_class VARCHAR,
    error VARCHAR,
    attempts INTEGER NOT NULL,
    retry_at TIMESTAMPTZ,
    analysis JSON,
    prompt_version VARCHAR NOT NULL,
    input_hash VARCHAR NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    shown_lines INTEGER NOT NULL,
    changed_lines INTEGER NOT NULL,
    analysed_at TIMESTAMPTZ NOT NULL
);

-- The page of a repo and day; path counts from the data folder, revision is a hash of the Markdown.
CREATE TABLE reports (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    language VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    markdown VARCHAR NOT NULL,
    commits INTEGER NOT NULL,
    high INTEGER NOT NULL,
    medium INTEGER NOT NULL,
    low INTEGER NOT NULL,
    analysed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    rendered_at TIMESTAMPTZ NOT NULL
);

-- The digest of a day over all repos. inputs is a hash of the revisions that it was made from.
CREATE TABLE digests (
    day DATE NOT NULL,
    language VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    inputs VARCHAR NOT NULL,
    markdown VARCHAR NOT NULL,
    repos INTEGER NOT NULL,
    missing_repos VARCHAR[] NOT NULL,
    rendered_at TIMESTAMPTZ NOT NULL
);
