-- The headline that a model composed for a repo's day. inputs is a hash of the analyses that it was made from; sentences
-- is a JSON list of {text, shas}, empty where status is failed: what came back did not pass, and is not asked for again.
-- Its calls stand in attempts, with an empty sha and the purpose headline.
CREATE TABLE headlines (
    repo VARCHAR NOT NULL,
    day DATE NOT NULL,
    language VARCHAR NOT NULL,
    inputs VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    sentences VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    endpoint VARCHAR NOT NULL,
    error_class VARCHAR,
    error VARCHAR,
    composed_at TIMESTAMPTZ NOT NULL
);
