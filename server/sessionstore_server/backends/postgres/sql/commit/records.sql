added_records AS (
    INSERT INTO sessionstore.records (segment_id, position, stop, since, content)
    SELECT r.segment_id, r.position, r.stop, w.revision, r.content
    FROM {rows} AS r (key_id, segment_id, position, stop, content)
    JOIN won w ON w.key_id = r.key_id
)
