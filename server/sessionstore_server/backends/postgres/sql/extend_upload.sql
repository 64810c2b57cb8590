WITH extended AS (
    INSERT INTO sessionstore.uploads (content_id, digest, size, touched_at)
    SELECT $2, $1, $3::bigint + length($4::bytea), now()
    WHERE $3::bigint = 0 OR EXISTS (SELECT FROM sessionstore.uploads u WHERE u.digest = $1)
    ON CONFLICT (digest) DO UPDATE SET size = excluded.size, touched_at = excluded.touched_at
        WHERE uploads.size = $3::bigint
    RETURNING content_id, size
), added AS (
    INSERT INTO sessionstore.chunks (content_id, position, content)
    SELECT e.content_id, $3::bigint, $4::bytea FROM extended e WHERE length($4::bytea) > 0
)
SELECT size FROM extended
