-- The bytes of a content from a position on, at most so many; chunks have any length up to a piece.
SELECT substring(
        c.content FROM greatest($2::bigint - c.position, 0)::integer + 1
        FOR ($2::bigint + $3::bigint - greatest(c.position, $2::bigint))::integer
    ) AS content
FROM sessionstore.chunks c
WHERE c.content_id = $1 AND c.position < $2::bigint + $3::bigint AND c.position >= (
    SELECT b.position FROM sessionstore.chunks b
    WHERE b.content_id = $1 AND b.position <= $2::bigint
    ORDER BY b.position DESC LIMIT 1
)
ORDER BY c.position
