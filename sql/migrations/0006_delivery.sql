-- Pages of readers' own, and what was brought where.

-- One row for each reader and day that was looked at; path, revision and markdown are null where nothing was theirs.
-- inputs are those of the digest that the day had then; content is a hash of what the page says of its own day, readable
-- one of all that a reader would call another page.
CREATE TABLE reader_pages (
    reader VARCHAR NOT NULL,
    day DATE NOT NULL,
    language VARCHAR NOT NULL,
    inputs VARCHAR NOT NULL,
    path VARCHAR,
    revision VARCHAR,
    content VARCHAR,
    readable VARCHAR,
    markdown VARCHAR,
    repos INTEGER NOT NULL,
    commits INTEGER NOT NULL,
    rendered_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ
);

-- What each channel has of a reader's day; the reader of the whole digest is ''. status is sending, delivered or failed;
-- revision is that of the page which the channel has, null where none ever came; tried is the revision of the last try,
-- attempts how often that was tried in vain; content is a hash of what was sent; remote is what the channel needs to
-- find it again; claimed_at is set while a process is at it.
CREATE TABLE deliveries (
    channel VARCHAR NOT NULL,
    reader VARCHAR NOT NULL,
    day DATE NOT NULL,
    language VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    revision VARCHAR,
    tried VARCHAR,
    content VARCHAR,
    remote VARCHAR,
    error_class VARCHAR,
    error VARCHAR,
    failed_at TIMESTAMPTZ,
    retry_at TIMESTAMPTZ,
    claimed_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ
);
