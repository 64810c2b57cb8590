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
    -- NULL: the key is present.
    deleted_at INTEGER,
    -- What lists show: the present summary. Without one the columns after it are NULL.
    has_summary INTEGER NOT NULL,
    summary BLOB,
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

CREATE INDEX keys_deleted ON keys (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX keys_without_summary ON keys (namespace, collection, id) WHERE deleted_at IS NULL AND NOT has_summary;
CREATE INDEX keys_with_summary ON keys (namespace, collection, id) WHERE has_summary;
CREATE INDEX keys_name ON keys (namespace, collection, name, id) WHERE name IS NOT NULL;
CREATE INDEX keys_state ON keys (namespace, collection, state, id) WHERE state IS NOT NULL;
CREATE INDEX keys_model_name ON keys (namespace, collection, model_name, id) WHERE model_name IS NOT NULL;
CREATE INDEX keys_parent_id ON keys (namespace, collection, parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX keys_tenant_id ON keys (namespace, collection, tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX keys_principal ON keys (namespace, collection, principal, id) WHERE principal IS NOT NULL;
CREATE INDEX keys_agent_template_id ON keys (namespace, collection, agent_template_id, id)
    WHERE agent_template_id IS NOT NULL;
CREATE INDEX keys_created_at ON keys (namespace, collection, created_at, id) WHERE created_at IS NOT NULL;
CREATE INDEX keys_updated_at ON keys (namespace, collection, updated_at, id) WHERE updated_at IS NOT NULL;
CREATE INDEX keys_message_count ON keys (namespace, collection, message_count, id) WHERE message_count IS NOT NULL;

-- At a revision, a document has the content that came last; NULL: it was removed. The one without a name is the summary.
CREATE TABLE documents (
    key_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    content BLOB,
    UNIQUE (key_id, name, since)
) STRICT;

-- A log is its segments, in the order of their starts: from revision `since` up to, not including, `until`, the
-- records of `log_id` from position `start` up to `stop`. Keys that were forked share a `log_id`.
-- The last segment of a log is open: `stop` is NULL, it alone is appended to, and of its batches those count that
-- are not younger than the revision.
CREATE TABLE segments (
    key_id INTEGER NOT NULL,
    log TEXT NOT NULL,
    start INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    log_id INTEGER NOT NULL,
    stop INTEGER,
    PRIMARY KEY (key_id, log, start, since)
) STRICT, WITHOUT ROWID;

CREATE INDEX segments_of_log_id ON segments (log_id, stop);
CREATE INDEX segments_past ON segments (key_id, until) WHERE until IS NOT NULL;

-- Records that were appended together: those of `log_id` from position `start` up to `stop`, one behind the other.
CREATE TABLE batches (
    log_id INTEGER NOT NULL,
    start INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    -- A revision of the key that appended them.
    since INTEGER NOT NULL,
    -- The size of each, as in `120s80s`, the format by which Python's `struct` takes the content apart.
    layout TEXT NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (log_id, start)
) STRICT;

-- The ledger.
CREATE TABLE requests (
    key_id INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    -- 1 for the first request of the key, and so on.
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
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
    ('keys', 'keys_name', '100000 100000 100000 2 1'),
    ('keys', 'keys_state', '100000 100000 100000 20000 1'),
    ('keys', 'keys_model_name', '100000 100000 100000 20000 1'),
    ('keys', 'keys_parent_id', '100000 100000 100000 10 1'),
    ('keys', 'keys_tenant_id', '100000 100000 100000 10000 1'),
    ('keys', 'keys_principal', '100000 100000 100000 1000 1'),
    ('keys', 'keys_agent_template_id', '100000 100000 100000 10000 1'),
    ('keys', 'keys_created_at', '100000 100000 100000 1 1'),
    ('keys', 'keys_updated_at', '100000 100000 100000 1 1'),
    ('keys', 'keys_message_count', '100000 100000 100000 1000 1');
