-- Text that is ordered or compared is of COLLATE "C": in the order of its UTF-8 bytes. Names of documents and logs may
-- hold what text may not, so they are bytea, and an index has instead of them a `name_id`, made of their hash.

CREATE TABLE sessionstore.meta (
    name text PRIMARY KEY,
    value bigint NOT NULL
);

-- One row per key that was ever written; a deleted one keeps it, with its commits, until it is swept.
-- No index may hold what each commit changes, so that the row is updated in place.
CREATE TABLE sessionstore.keys (
    key_id uuid PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    commit_time timestamptz NOT NULL,
    present boolean NOT NULL,
    summarized boolean NOT NULL,
    started_at bigint NOT NULL, -- the first revision since the key was last absent: what is older is gone
    kept_from bigint NOT NULL,  -- the first revision that may be read again
    UNIQUE (namespace, collection, id)
);
CREATE INDEX keys_unsummarized ON sessionstore.keys (namespace, collection, id) WHERE present AND NOT summarized;
CREATE INDEX keys_absent ON sessionstore.keys (key_id) WHERE NOT present;

-- The ledger and the history of a key. The token is of one call, so that it can find out whether it was carried out.
CREATE TABLE sessionstore.commits (
    key_id uuid NOT NULL,
    revision bigint NOT NULL,
    commit_time timestamptz NOT NULL,
    token uuid NOT NULL,
    request_id text,
    digest text,
    existed boolean, -- what a deletion found
    PRIMARY KEY (key_id, revision)
);

-- A version counts until the next one of its name; one without content says that the document was removed.
-- The document with the empty name, which no caller can have, is the summary.
CREATE TABLE sessionstore.documents (
    key_id uuid NOT NULL,
    name_id uuid NOT NULL,
    since bigint NOT NULL,
    name bytea NOT NULL,
    content bytea,
    PRIMARY KEY (key_id, name_id, since)
);

-- A log is made of segments in a row, each up to a position in the log; the last may be open (stop null), and then its
-- records up to the revision count. Versions as of documents; an append to an open segment makes none.
CREATE TABLE sessionstore.logs (
    key_id uuid NOT NULL,
    name_id uuid NOT NULL,
    since bigint NOT NULL,
    name bytea NOT NULL,
    shortened_at bigint NOT NULL,
    segments uuid[],
    stops bigint[],
    PRIMARY KEY (key_id, name_id, since)
);

-- Which keys have a segment in their logs: the one that fills it and its forks.
CREATE TABLE sessionstore.segments (
    segment_id uuid NOT NULL,
    key_id uuid NOT NULL,
    PRIMARY KEY (segment_id, key_id)
);

-- Chunks of records that one commit appended.
CREATE TABLE sessionstore.records (
    segment_id uuid NOT NULL,
    position bigint NOT NULL, -- of the first record
    stop bigint NOT NULL, -- behind the last one
    since bigint NOT NULL, -- the revision of the key that fills the segment
    content bytea NOT NULL, -- see chunks.py
    PRIMARY KEY (segment_id, position)
);

-- What lists show of keys that are summarized.
CREATE TABLE sessionstore.summaries (
    key_id uuid PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    record bytea NOT NULL,
    name text COLLATE "C",
    state text COLLATE "C",
    model_name text COLLATE "C",
    parent_id text COLLATE "C",
    tenant_id text COLLATE "C",
    principal text COLLATE "C",
    agent_template_id text COLLATE "C",
    created_at bigint,
    updated_at bigint,
    message_count bigint
);
CREATE INDEX summaries_id ON sessionstore.summaries (namespace, collection, id);
CREATE INDEX summaries_name ON sessionstore.summaries (namespace, collection, name, id) WHERE name IS NOT NULL;
CREATE INDEX summaries_state ON sessionstore.summaries (namespace, collection, state, id) WHERE state IS NOT NULL;
CREATE INDEX summaries_model_name ON sessionstore.summaries (namespace, collection, model_name, id)
    WHERE model_name IS NOT NULL;
CREATE INDEX summaries_parent_id ON sessionstore.summaries (namespace, collection, parent_id, id)
    WHERE parent_id IS NOT NULL;
CREATE INDEX summaries_tenant_id ON sessionstore.summaries (namespace, collection, tenant_id, id)
    WHERE tenant_id IS NOT NULL;
CREATE INDEX summaries_principal ON sessionstore.summaries (namespace, collection, principal, id)
    WHERE principal IS NOT NULL;
CREATE INDEX summaries_agent_template_id ON sessionstore.summaries (namespace, collection, agent_template_id, id)
    WHERE agent_template_id IS NOT NULL;
CREATE INDEX summaries_created_at ON sessionstore.summaries (namespace, collection, created_at, id)
    WHERE created_at IS NOT NULL;
CREATE INDEX summaries_updated_at ON sessionstore.summaries (namespace, collection, updated_at, id)
    WHERE updated_at IS NOT NULL;
CREATE INDEX summaries_message_count ON sessionstore.summaries (namespace, collection, message_count, id)
    WHERE message_count IS NOT NULL;

-- Each row is the commits of one server process, or of a part of its life, in their order.
CREATE TABLE sessionstore.writers (
    writer uuid PRIMARY KEY,
    first bigint NOT NULL, -- what is before it was dropped
    last bigint NOT NULL,
    last_time timestamptz NOT NULL
);
CREATE TABLE sessionstore.feed (
    writer uuid NOT NULL,
    sequence bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    commit_time timestamptz NOT NULL,
    deleted boolean NOT NULL,
    PRIMARY KEY (writer, sequence)
);
CREATE INDEX feed_collection ON sessionstore.feed (namespace, collection, writer, sequence);
