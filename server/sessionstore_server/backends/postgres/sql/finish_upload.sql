-- The chunks become those of the blob, unless it is stored already. Nothing happens, and there is no row, when somebody
-- else finished.
WITH finished AS (
    DELETE FROM sessionstore.uploads WHERE content_id = $1 AND size = $3::bigint RETURNING content_id, size
), stored AS (
    INSERT INTO sessionstore.blobs (digest, content_id, size, stored_at)
    SELECT $2, f.content_id, f.size, now() FROM finished f
    ON CONFLICT (digest) DO UPDATE SET stored_at = excluded.stored_at
    RETURNING content_id
), dropped AS (
    DELETE FROM sessionstore.chunks c
    WHERE c.content_id IN (SELECT f.content_id FROM finished f)
        AND c.content_id NOT IN (SELECT s.content_id FROM stored s)
)
SELECT content_id FROM stored
