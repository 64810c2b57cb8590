DELETE FROM sessionstore.documents d USING sessionstore.keys k
WHERE k.key_id = ANY ($1::uuid[]) AND d.key_id = k.key_id AND (
    NOT k.present
    OR d.since < k.started_at
    OR (d.content IS NULL AND d.since <= greatest(k.kept_from, k.revision - $2::bigint + 1))
    OR EXISTS (
        SELECT FROM sessionstore.documents newer
        WHERE newer.key_id = d.key_id AND newer.name_id = d.name_id AND newer.since > d.since
            AND newer.since <= greatest(k.kept_from, k.revision - $2::bigint + 1)
    )
)
