WITH stored AS (
    INSERT INTO sessionstore.blobs (digest, content_id, size, stored_at) VALUES ($1, $2, $3, now())
    ON CONFLICT (digest) DO UPDATE SET stored_at = excluded.stored_at
    RETURNING content_id
)
INSERT INTO sessionstore.chunks (content_id, position, content)
SELECT s.content_id, 0, $4 FROM stored s WHERE s.content_id = $2
