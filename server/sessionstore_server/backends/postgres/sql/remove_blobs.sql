-- Blobs of these (null: of any) to which no key refers, stored at least so many seconds ago. Their chunks stay for those
-- who are reading them, as those of an upload that nobody goes on with, until the sweep.
WITH gone AS (
    DELETE FROM sessionstore.blobs b
    WHERE ($1::text[] IS NULL OR b.digest = ANY ($1::text[]))
        AND b.stored_at <= now() - $2::float8 * interval '1 second'
        AND NOT EXISTS (SELECT FROM sessionstore.blob_references r WHERE r.digest = b.digest)
    RETURNING b.digest, b.content_id, b.size
), left_over AS (
    INSERT INTO sessionstore.uploads (content_id, size, touched_at) SELECT g.content_id, g.size, now() FROM gone g
)
SELECT digest FROM gone
