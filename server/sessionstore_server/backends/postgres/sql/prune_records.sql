-- Records behind the last position up to which any log of any key has their segment.
WITH reached AS (
    SELECT t.segment_id, (
        SELECT max(coalesce(u.stop, 9223372036854775807))
        FROM sessionstore.segments s
        JOIN sessionstore.logs l ON l.key_id = s.key_id
        CROSS JOIN LATERAL unnest(l.segments, l.stops) AS u (segment_id, stop)
        WHERE s.segment_id = t.segment_id AND u.segment_id = t.segment_id
    ) AS stop
    FROM unnest($1::uuid[]) AS t (segment_id)
)
DELETE FROM sessionstore.records r USING reached
WHERE r.segment_id = reached.segment_id AND r.position >= coalesce(reached.stop, 0)
