DELETE FROM sessionstore.segments s
WHERE s.segment_id = ANY ($1::uuid[]) AND s.key_id = ANY ($2::uuid[]) AND NOT EXISTS (
    SELECT FROM sessionstore.logs l WHERE l.key_id = s.key_id AND s.segment_id = ANY (l.segments)
)
