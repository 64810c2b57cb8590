WITH kept AS (
    UPDATE sessionstore.writers SET first = last - $1::bigint + 1 WHERE last - first >= $1::bigint
    RETURNING writer, first
)
DELETE FROM sessionstore.feed f USING kept WHERE f.writer = kept.writer AND f.sequence < kept.first
