CREATE TABLE sessionstore.blobs (
    digest text PRIMARY KEY,
    content_id uuid NOT NULL,
    size bigint NOT NULL,
    stored_at timestamptz NOT NULL
);

-- Chunks that are of no blob. With a digest: what all who upload it go on with. Without: what one call is putting, or what
-- is left of a removed blob.
CREATE TABLE sessionstore.uploads (
    content_id uuid PRIMARY KEY,
    digest text UNIQUE,
    size bigint NOT NULL,
    touched_at timestamptz NOT NULL
);

CREATE TABLE sessionstore.chunks (
    content_id uuid NOT NULL,
    position bigint NOT NULL, -- of the first byte
    content bytea NOT NULL,
    PRIMARY KEY (content_id, position)
);

-- The constraint keeps a blob from being removed while a commit of another process begins to refer to it.
CREATE TABLE sessionstore.blob_references (
    key_id uuid NOT NULL,
    digest text NOT NULL REFERENCES sessionstore.blobs (digest),
    since bigint NOT NULL,
    until bigint, -- the revision that gave the blob up; null while the key refers to it
    PRIMARY KEY (key_id, digest)
);
CREATE INDEX blob_references_digest ON sessionstore.blob_references (digest);
