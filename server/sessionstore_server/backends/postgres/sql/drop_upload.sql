WITH gone AS (
    DELETE FROM sessionstore.uploads WHERE content_id = $1 RETURNING content_id
), dropped AS (
    DELETE FROM sessionstore.chunks c USING gone WHERE c.content_id = gone.content_id
)
SELECT content_id FROM gone
