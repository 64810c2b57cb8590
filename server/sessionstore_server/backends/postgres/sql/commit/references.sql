changed_references AS (
    INSERT INTO sessionstore.blob_references (key_id, digest, since, until)
    SELECT w.key_id, r.digest, w.revision, CASE WHEN r.kept THEN NULL ELSE w.revision END
    FROM {rows} AS r (key_id, digest, kept)
    JOIN won w ON w.key_id = r.key_id
    ON CONFLICT (key_id, digest) DO UPDATE SET since = excluded.since, until = excluded.until
)
