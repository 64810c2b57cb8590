WITH gone AS (
    DELETE FROM sessionstore.uploads u
    WHERE u.touched_at <= now() - $1::float8 * interval '1 second'
    RETURNING u.content_id
)
DELETE FROM sessionstore.chunks c USING gone WHERE c.content_id = gone.content_id
