-- The page of a week or a month over all repos. kind is weekly or monthly, period its name, such as 2026-W08; inputs is a hash
-- of the revisions of its days and of the period before; missing counts days of repos without a page, incomplete those
-- with commits that have no analysis.
CREATE TABLE rollups (
    kind VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    path VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    inputs VARCHAR NOT NULL,
    markdown VARCHAR NOT NULL,
    repos INTEGER NOT NULL,
    commits INTEGER NOT NULL,
    high INTEGER NOT NULL,
    medium INTEGER NOT NULL,
    low INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    incomplete INTEGER NOT NULL,
    rendered_at TIMESTAMPTZ NOT NULL
);
