-- Harmless when it runs twice.
WITH extended AS (
    INSERT INTO sessionstore.uploads (content_id, size, touched_at)
    VALUES ($1, $2::bigint + length($3::bytea), now())
    ON CONFLICT (content_id) DO UPDATE SET size = excluded.size, touched_at = excluded.touched_at
)
INSERT INTO sessionstore.chunks (content_id, position, content) VALUES ($1, $2::bigint, $3::bytea)
ON CONFLICT (content_id, position) DO NOTHING
