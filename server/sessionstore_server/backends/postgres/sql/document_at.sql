SELECT d.content FROM sessionstore.documents d
WHERE d.key_id = $1 AND d.name_id = $2 AND d.since BETWEEN $3::bigint AND $4::bigint
ORDER BY d.since DESC LIMIT 1
