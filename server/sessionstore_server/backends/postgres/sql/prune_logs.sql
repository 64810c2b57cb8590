DELETE FROM sessionstore.logs l USING sessionstore.keys k
WHERE k.key_id = ANY ($1::uuid[]) AND l.key_id = k.key_id AND (
    NOT k.present
    OR l.since < k.started_at
    OR (l.segments IS NULL AND l.since <= greatest(k.kept_from, k.revision - $2::bigint + 1))
    OR EXISTS (
        SELECT FROM sessionstore.logs newer
        WHERE newer.key_id = l.key_id AND newer.name_id = l.name_id AND newer.since > l.since
            AND newer.since <= greatest(k.kept_from, k.revision - $2::bigint + 1)
    )
)
RETURNING l.segments
