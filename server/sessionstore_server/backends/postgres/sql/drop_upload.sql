WITH gone AS (
    DELETE FROM sessionstore.uploads WHERE content_id = $1 RETURNING content_id
)
DELETE FROM sessionstore.chunks c USING gone WHERE c.content_id = gone.content_id
