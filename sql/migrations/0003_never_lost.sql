-- What it takes to lose no analysis: what each call cost, what was answered, which endpoints are up, who was told,
-- and which commits a branch no longer has.

-- How much of each file a model was shown, as JSON: a list of {path, how, shown, changed}; the last two count lines.
ALTER TABLE analyses ADD COLUMN ledger VARCHAR;
ALTER TABLE analyses ADD COLUMN endpoint VARCHAR;

-- Null or true, or false for a commit that was on the branch when its day was read, and is no longer.
ALTER TABLE commit_log ADD COLUMN on_branch BOOLEAN;

-- When a day that was read before was found changed, and how many commits came and went since it was first read.
ALTER TABLE reads ADD COLUMN changed_at TIMESTAMPTZ;
ALTER TABLE reads ADD COLUMN came INTEGER;
ALTER TABLE reads ADD COLUMN went INTEGER;

-- content is a hash of the page without the line that says when it was updated, and without what failures say and calls
-- cost; updated_at is null until it was.
ALTER TABLE reports ADD COLUMN content VARCHAR;
ALTER TABLE reports ADD COLUMN updated_at TIMESTAMPTZ;

-- One row for each call to an endpoint about a commit; attempt counts a commit's calls in one language from 1.
-- outcome is ok or failed; cost is null where the settings name no price for the model.
CREATE TABLE attempts (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    sha VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    attempt INTEGER NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    seconds DOUBLE NOT NULL,
    endpoint VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    purpose VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    error_class VARCHAR,
    error VARCHAR,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    cost DOUBLE
);

-- What was answered, by a hash over all that decides an answer: the same question is never paid for twice.
CREATE TABLE answers (
    input_hash VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    endpoint VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    tier VARCHAR NOT NULL,
    prompt_version VARCHAR NOT NULL,
    analysis VARCHAR NOT NULL,
    ledger VARCHAR,
    shown_lines INTEGER NOT NULL,
    changed_lines INTEGER NOT NULL,
    answered_at TIMESTAMPTZ NOT NULL
);

-- One row for each endpoint and model: whether it is up, since when, when it is probed next, and what was learned
-- of it (which parameters it takes, its context, its tokens for each of ours) as JSON.
CREATE TABLE endpoints (
    endpoint VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    is_up BOOLEAN NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    error_class VARCHAR,
    error VARCHAR,
    probed_at TIMESTAMPTZ,
    next_probe_at TIMESTAMPTZ,
    learned VARCHAR NOT NULL
);

-- What went wrong and who was told: one row for each thing, open while resolved_at is null. An alarm stands here whether
-- or not somebody could be told: told_at and over_told_at are null until the message went out, claimed_at is set while a
-- process is sending it.
CREATE TABLE alarms (
    kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    raised_at TIMESTAMPTZ NOT NULL,
    resolved_at TIMESTAMPTZ,
    claimed_at TIMESTAMPTZ,
    told_at TIMESTAMPTZ,
    over_told_at TIMESTAMPTZ
);
