SELECT c.revision, c.commit_time
FROM sessionstore.keys k
JOIN sessionstore.commits c
    ON c.key_id = k.key_id AND c.revision BETWEEN greatest(k.kept_from, k.revision - $4::bigint + 1) AND k.revision
WHERE k.namespace = $1 AND k.collection = $2 AND k.id = $3 AND k.present
ORDER BY c.revision
