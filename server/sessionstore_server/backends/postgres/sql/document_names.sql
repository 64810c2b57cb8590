SELECT d.name FROM (
    SELECT DISTINCT ON (d.name_id) d.name, d.content FROM sessionstore.documents d
    WHERE d.key_id = $1 AND d.since BETWEEN $2::bigint AND $3::bigint
    ORDER BY d.name_id, d.since DESC
) d
WHERE d.content IS NOT NULL
