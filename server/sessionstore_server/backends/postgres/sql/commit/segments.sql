added_segments AS (
    INSERT INTO sessionstore.segments (segment_id, key_id)
    SELECT s.segment_id, w.key_id
    FROM {rows} AS s (key_id, segment_id)
    JOIN won w ON w.key_id = s.key_id
    ON CONFLICT (segment_id, key_id) DO NOTHING
)
