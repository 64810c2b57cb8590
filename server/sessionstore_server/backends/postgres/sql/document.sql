-- One present document of a key.
SELECT k.key_id, k.revision, d.content
FROM sessionstore.keys k
LEFT JOIN LATERAL (
    SELECT d.content FROM sessionstore.documents d
    WHERE d.key_id = k.key_id AND d.name_id = $4 AND d.since BETWEEN k.started_at AND k.revision
    ORDER BY d.since DESC LIMIT 1
) d ON k.present
WHERE k.namespace = $1 AND k.collection = $2 AND k.id = $3
