SELECT FROM sessionstore.segments WHERE segment_id = ANY ($1::uuid[]) ORDER BY segment_id, key_id FOR UPDATE
