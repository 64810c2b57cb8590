-- Times are microseconds since 1970. Revisions are those of the key of the row, unless said otherwise.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A deleted key keeps its row, with its revision and its ledger, until it is swept.
CREATE TABLE keys (
    key_id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    -- When the revisions that are kept were committed, 8 bytes each, least byte first; the last is the present one.
    history BLOB NOT NULL,
    -- How many requests were ever entered in the ledger.
    requests INTEGER NOT NULL,
    has_summary INTEGER NOT NULL,
    -- NULL: the key is present.
    deleted_at INTEGER,
    UNIQUE (namespace, collection, id)
) STRICT;

CREATE INDEX keys_without_summary ON keys (namespace, collection, id) WHERE deleted_at IS NULL AND NOT has_summary;
CREATE INDEX keys_deleted ON keys (deleted_at) WHERE deleted_at IS NOT NULL;

-- At a revision, a document has the content that came last; NULL: it was removed.
CREATE TABLE documents (
    key_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    content BLOB,
    UNIQUE (key_id, name, since)
) STRICT;

-- A log is its segments, in the order of their starts: from revision `since` up to, not including, `until`, the
-- records of `log_id` from position `start` up to `stop`. Keys that were forked share a `log_id`.
-- The last segment of a log is open: `stop` is NULL, it alone is appended to, and of its records those count that
-- are not younger than the revision.
CREATE TABLE segments (
    key_id INTEGER NOT NULL,
    log TEXT NOT NULL,
    start INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    log_id INTEGER NOT NULL CHECK (log_id < 1 << 31),
    stop INTEGER,
    PRIMARY KEY (key_id, log, start, since)
) STRICT, WITHOUT ROWID;

CREATE INDEX segments_of_log_id ON segments (log_id, stop);
CREATE INDEX segments_past ON segments (key_id, until) WHERE until IS NOT NULL;

-- `place` is `log_id << 32 | position`, so that a log lies in one piece and needs no index beside it.
CREATE TABLE records (
    place INTEGER PRIMARY KEY,
    -- A revision of the key that appended it.
    since INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;

-- What forks start from.
CREATE TABLE summaries (
    key_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    record BLOB NOT NULL,
    -- A JSON object.
    attributes TEXT NOT NULL,
    PRIMARY KEY (key_id, since)
) STRICT, WITHOUT ROWID;

-- What lists show: the present summaries.
CREATE TABLE listed (
    key_id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    record BLOB NOT NULL,
    name TEXT,
    state TEXT,
    model_name TEXT,
    parent_id TEXT,
    tenant_id TEXT,
    principal TEXT,
    agent_template_id TEXT,
    created_at INTEGER,
    updated_at INTEGER,
    message_count INTEGER,
    UNIQUE (namespace, collection, id)
) STRICT;

CREATE INDEX listed_name ON listed (namespace, collection, name, id) WHERE name IS NOT NULL;
CREATE INDEX listed_state ON listed (namespace, collection, state, id) WHERE state IS NOT NULL;
CREATE INDEX listed_model_name ON listed (namespace, collection, model_name, id) WHERE model_name IS NOT NULL;
CREATE INDEX listed_parent_id ON listed (namespace, collection, parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX listed_tenant_id ON listed (namespace, collection, tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX listed_principal ON listed (namespace, collection, principal, id) WHERE principal IS NOT NULL;
CREATE INDEX listed_agent_template_id ON listed (namespace, collection, agent_template_id, id)
    WHERE agent_template_id IS NOT NULL;
CREATE INDEX listed_created_at ON listed (namespace, collection, created_at, id) WHERE created_at IS NOT NULL;
CREATE INDEX listed_updated_at ON listed (namespace, collection, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX listed_message_count ON listed (namespace, collection, message_count, id)
    WHERE message_count IS NOT NULL;

-- The ledger.
CREATE TABLE requests (
    key_id INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    -- 1 for the first request of the key, and so on.
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    revision INTEGER NOT NULL,
    commit_time INTEGER NOT NULL,
    -- What a deletion found; NULL for any other commit.
    existed INTEGER,
    PRIMARY KEY (key_id, request_id)
) STRICT, WITHOUT ROWID;

-- Blobs, and uploads that are to become blobs; the digest of an upload that nobody else may extend is NULL.
-- No id is given twice: who goes on with an upload that was swept must not find another's.
CREATE TABLE blobs (
    blob_id INTEGER PRIMARY KEY AUTOINCREMENT,
    is_upload INTEGER NOT NULL,
    digest TEXT,
    size INTEGER NOT NULL,
    -- When it was last put or extended.
    touched_at INTEGER NOT NULL,
    UNIQUE (is_upload, digest)
) STRICT;

CREATE TABLE blob_chunks (
    blob_id INTEGER NOT NULL,
    -- In bytes from the beginning of the blob.
    start INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (blob_id, start)
) STRICT;

CREATE TABLE blob_references (
    key_id INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (key_id, blob_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_references_of_blob ON blob_references (blob_id);

-- The last commits, in their order. The newest row is never removed, so numbers are never given twice.
CREATE TABLE feed (
    sequence INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    commit_time INTEGER NOT NULL,
    deleted INTEGER NOT NULL
) STRICT;

-- What a large collection looks like, so that the plans of lists do not depend on when somebody ran ANALYZE: how many
-- rows there are, and how many have the same namespace, the same collection too, the same attribute too, the same id.
ANALYZE sqlite_schema;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('listed', 'listed_name', '100000 100000 100000 2 1'),
    ('listed', 'listed_state', '100000 100000 100000 20000 1'),
    ('listed', 'listed_model_name', '100000 100000 100000 20000 1'),
    ('listed', 'listed_parent_id', '100000 100000 100000 10 1'),
    ('listed', 'listed_tenant_id', '100000 100000 100000 10000 1'),
    ('listed', 'listed_principal', '100000 100000 100000 1000 1'),
    ('listed', 'listed_agent_template_id', '100000 100000 100000 10000 1'),
    ('listed', 'listed_created_at', '100000 100000 100000 1 1'),
    ('listed', 'listed_updated_at', '100000 100000 100000 1 1'),
    ('listed', 'listed_message_count', '100000 100000 100000 1000 1');
