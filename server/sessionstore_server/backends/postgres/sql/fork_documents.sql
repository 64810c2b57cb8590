-- What a fork takes over from its origin, besides the documents that it wrote itself.
INSERT INTO sessionstore.documents (key_id, name_id, since, name, content)
SELECT $1, d.name_id, $2::bigint, d.name, d.content FROM (
    SELECT DISTINCT ON (d.name_id) d.* FROM sessionstore.documents d
    WHERE d.key_id = $3 AND d.since BETWEEN $4::bigint AND $5::bigint
    ORDER BY d.name_id, d.since DESC
) d
WHERE d.content IS NOT NULL
ON CONFLICT (key_id, name_id, since) DO NOTHING
