added_logs AS (
    INSERT INTO sessionstore.logs (key_id, name_id, since, name, shortened_at, segments, stops)
    SELECT w.key_id, l.name_id, w.revision, l.name, l.shortened_at, l.segments::uuid[], l.stops::bigint[]
    FROM {rows} AS l (key_id, name_id, name, shortened_at, segments, stops)
    JOIN won w ON w.key_id = l.key_id
)
